"""Reports of verifications as messages."""

from __future__ import annotations

from chassis.rpc.moments import stamp
from services.seal.domain.verification import (
    Check,
    Coverage,
    DocumentReport,
    Note,
    SignatureReport,
    StampPlace,
)
from tongban.seal.v1 import report_pb2
from tongban.seal.v1 import seal_pb2 as pb


def signature_messages(report: DocumentReport) -> list[pb.SignatureReport]:
    """Return every signature; a document that cannot be opened has its container's check alone."""
    if report.signatures or report.verdict.value != "INVALID":
        return [_signature(each) for each in report.signatures]
    verdict = report.verdict.value
    return [
        pb.SignatureReport(verdict=verdict, now_verdict=verdict, checks=[check_message(report.container)])
    ]


def check_message(check: Check) -> pb.Check:
    """Return one check."""
    detail = f": {check.detail}" if check.detail else ""
    return pb.Check(
        name=check.name.value,
        result=check.result.value,
        reason=check.reason,
        detail_zh=check.zh + detail.replace(": ", "："),
        detail_en=check.en + detail,
        clause=check.clause,
    )


def note_message(note: Note) -> report_pb2.ReportNote:
    """Return one note."""
    return report_pb2.ReportNote(zh=note.zh, en=note.en, detail=note.detail)


def _signature(report: SignatureReport) -> pb.SignatureReport:
    return pb.SignatureReport(
        verdict=report.verdict.value,
        seal_id=report.seal_id or "",
        seal_name=report.seal_name or "",
        signed_at=stamp(report.stated_at) if report.stated_at else None,
        checks=map(check_message, report.checks),
        signature_id=report.signature_id,
        now_verdict=report.now_verdict.value,
        now_checks=map(check_message, report.now_checks),
        notes=map(note_message, report.notes),
        signer=report.signer or "",
        proved_at=stamp(report.proved_at) if report.proved_at else None,
        stamps=map(_place, report.stamps),
        coverage=_coverage(report.coverage) if report.coverage else None,
        is_own=report.is_own,
        generation=report.generation or 0,
    )


def _place(place: StampPlace) -> report_pb2.StampPlace:
    x_mm, y_mm, width_mm, height_mm = place.box_mm
    return report_pb2.StampPlace(
        page=place.page,
        page_id=place.page_id,
        x_mm=x_mm,
        y_mm=y_mm,
        width_mm=width_mm,
        height_mm=height_mm,
        clipped=place.clip_mm is not None,
    )


def _coverage(coverage: Coverage) -> report_pb2.Coverage:
    protected, unprotected = (
        [report_pb2.CoveredItem(kind=each.kind.value, name=each.name, page=each.page) for each in side]
        for side in (coverage.protected, coverage.unprotected)
    )
    return report_pb2.Coverage(
        protected=protected,
        unprotected=unprotected,
        pages=coverage.pages,
        protected_pages=coverage.protected_pages,
        closed=coverage.closed,
        left_out=coverage.left_out,
    )
