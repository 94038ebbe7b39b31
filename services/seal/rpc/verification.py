"""VerificationService: a sealed document judged check by check."""

from __future__ import annotations

import grpc

from chassis.clock import Clock
from chassis.rpc.moments import moment_of, stamp
from services.seal.domain.suite import Suites
from services.seal.domain.verification import Check, SignatureReport
from services.seal.usecases.ports import UnitOfWork
from services.seal.usecases.verify import verify
from tongban.seal.v1 import seal_pb2 as pb
from tongban.seal.v1 import seal_pb2_grpc

Context = grpc.aio.ServicerContext[object, object]


class VerificationServicer(seal_pb2_grpc.VerificationServiceServicer):
    """Verifies with our anchors, lists, register and ledger."""

    def __init__(self, unit: UnitOfWork, suites: Suites, clock: Clock) -> None:
        self._unit = unit
        self._suites = suites
        self._clock = clock

    async def VerifyDocument(
        self, request: pb.VerifyDocumentRequest, context: Context
    ) -> pb.VerifyDocumentResponse:
        """Return every check of every signature; a document that cannot be opened has its container's check alone."""
        del context
        as_of = moment_of(request, "as_of")
        report = await verify(self._unit, self._suites, request.document, self._clock(), as_of)
        signatures = [_signature(each) for each in report.signatures]
        if not signatures and report.verdict.value == "INVALID":
            unopened = _check(report.container)
            signatures = [pb.SignatureReport(verdict=report.verdict.value, checks=[unopened])]
        return pb.VerifyDocumentResponse(verdict=report.verdict.value, signatures=signatures)


def _signature(report: SignatureReport) -> pb.SignatureReport:
    return pb.SignatureReport(
        verdict=report.verdict.value,
        seal_id=report.seal_id or "",
        seal_name=report.seal_name or "",
        signed_at=stamp(report.stated_at) if report.stated_at else None,
        checks=map(_check, report.checks),
    )


def _check(check: Check) -> pb.Check:
    detail = f": {check.detail}" if check.detail else ""
    return pb.Check(
        name=check.name.value,
        result=check.result.value,
        reason=check.reason,
        detail_zh=check.zh + detail.replace(": ", "："),
        detail_en=check.en + detail,
        clause=check.clause,
    )
