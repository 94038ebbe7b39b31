"""What VerifyFile answers, as values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from services.intake.usecases.file_verification import (
    Coverage,
    CoveredPart,
    FileReport,
    FileSignature,
    ReportNote,
    StampPlace,
)
from services.intake.usecases.licences import SealCheck
from tongban.seal.v1 import report_pb2, seal_pb2


def file_report(message: seal_pb2.VerifyFileResponse) -> FileReport:
    """Return the report."""
    return FileReport(
        verdict=message.verdict,
        now_verdict=message.now_verdict,
        format=message.format,
        sha256=message.sha256,
        as_of=message.as_of.ToDatetime(tzinfo=UTC),
        container=check_of(message.container),
        signatures=[_signature(each) for each in message.signatures],
    )


def check_of(message: seal_pb2.Check) -> SealCheck:
    """Return one check."""
    return SealCheck(
        message.name,
        message.result,
        message.reason,
        message.detail_zh,
        message.detail_en,
        message.clause,
    )


def _signature(message: seal_pb2.SignatureReport) -> FileSignature:
    return FileSignature(
        verdict=message.verdict,
        now_verdict=message.now_verdict,
        seal_id=message.seal_id,
        seal_name=message.seal_name,
        signer=message.signer,
        signed_at=_moment(message.signed_at) if message.HasField("signed_at") else None,
        proved_at=_moment(message.proved_at) if message.HasField("proved_at") else None,
        checks=[check_of(each) for each in message.checks],
        now_checks=[check_of(each) for each in message.now_checks],
        notes=[ReportNote(each.zh, each.en, each.detail) for each in message.notes],
        stamps=[
            StampPlace(each.page, each.x_mm, each.y_mm, each.width_mm, each.height_mm)
            for each in message.stamps
        ],
        coverage=_coverage(message.coverage) if message.HasField("coverage") else None,
    )


def _coverage(message: report_pb2.Coverage) -> Coverage:
    return Coverage(
        protected=_parts(message.protected),
        unprotected=_parts(message.unprotected),
        pages=message.pages,
        protected_pages=list(message.protected_pages),
        closed=message.closed,
        left_out=message.left_out,
    )


def _parts(messages: Sequence[report_pb2.CoveredItem]) -> list[CoveredPart]:
    return [CoveredPart(each.kind, each.name, each.page) for each in messages]


def _moment(message: Timestamp) -> datetime:
    return message.ToDatetime(tzinfo=UTC)
