"""Verification for everyone: a presented licence, a sealed document, a receipt. No log-in, limited."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

import uuid_utils.compat
from fastapi import APIRouter, Request
from fastapi import Body as RawBody
from pydantic import Field

from chassis.auth import keys_of, verify_document
from chassis.auth.documents import SIGNATURE_WRONG
from chassis.errors import FIELD_REQUIRED, Fault, Kind, refuse
from chassis.telemetry import counter
from services.intake.api.doors import DoorsHere, limited, source_of
from services.intake.api.licences import LicenceView, licence_view
from services.intake.api.shapes import Body, View
from services.intake.api.uploads import MAX_UPLOAD_BYTES
from services.intake.domain.cases.submission import RECEIPT_KIND
from services.intake.usecases.identity.ports import Allowance
from standards.annotated_copy import copy_mark

VERIFICATIONS_BY_SOURCE = Allowance("verifications_by_source", 30, 60)

MISSES_BY_SOURCE = Allowance("verification_misses_by_source", 20, 3_600)
"""Codes nobody was given: at a window people mistype a few, a guesser needs millions."""
MISSES = counter("verification_misses", "Codes and receipts that turned out to be nobody's", ("kind",))

router = APIRouter(
    prefix="/v1/verifications", tags=["verifications"], dependencies=[limited(VERIFICATIONS_BY_SOURCE)]
)
OCTETS = "application/octet-stream"


class CodeBody(Body):
    """The code typed in, or the whole text of the QR code."""

    code: str = Field(min_length=1, max_length=4_096)


class ScanView(View):
    """VALID only when the licence is in force and its sealed document verified."""

    verdict: str
    verified_at: datetime
    licence: LicenceView


class CheckView(View):
    """One check: valid, invalid, indeterminate or not_applicable."""

    name: str
    result: str
    reason: str
    detail: str
    detail_en: str
    clause: str


class SignatureView(View):
    """One signature, check by check."""

    verdict: str
    seal_id: str
    seal_name: str
    signed_at: datetime | None
    checks: list[CheckView]


class DocumentView(View):
    """VALID, INVALID, INDETERMINATE or UNSIGNED."""

    verdict: str
    signatures: list[SignatureView]
    is_annotated_copy: bool
    """Whether the file says that it is a copy made for one use (加注件), no original."""


class ReceiptBody(Body):
    """The compact JWS of a receipt."""

    receipt: str = Field(min_length=1, max_length=65_536)


class ReceiptVerdict(View):
    """Whether intake signed it, and then what it says; a receipt holds no personal data."""

    genuine: bool
    document: dict[str, Any] | None


@router.post("/presentation", summary="核验亮证码")
async def verify_presentation(request: Request, body: CodeBody, doors: DoorsHere) -> ScanView:
    """Take the one scan of a presentation code and return the licence, masked, with a verdict."""
    source = source_of(request)
    await doors.limits.require_left(MISSES_BY_SOURCE, source)
    try:
        found = await doors.wallet.scan(body.code, str(uuid_utils.compat.uuid7()))
    except Fault as fault:
        if fault.kind in {Kind.NOT_FOUND, Kind.INVALID_ARGUMENT, Kind.FAILED_PRECONDITION}:
            MISSES.labels("presentation").inc()
            await doors.limits.check(MISSES_BY_SOURCE, source)
        raise
    return ScanView(verdict=found.verdict, verified_at=found.verified_at, licence=licence_view(found.licence))


@router.post(
    "/document",
    max_body_size=MAX_UPLOAD_BYTES,
    summary="核验电子印章文件",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {OCTETS: {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
        }
    },
)
async def verify_sealed_document(request: Request, doors: DoorsHere) -> DocumentView:
    """Verify the signatures of an OFD of at most 20 MB, check by check. Nothing of it is kept."""
    content = await request.body()
    if not content:
        refuse([FIELD_REQUIRED.at("body")])
    report = await doors.seals.verify(content)
    return DocumentView(
        verdict=report.verdict,
        is_annotated_copy=await asyncio.to_thread(copy_mark, content) is not None,
        signatures=[
            SignatureView(
                verdict=each.verdict,
                seal_id=each.seal_id,
                seal_name=each.seal_name,
                signed_at=each.signed_at,
                checks=[
                    CheckView(
                        name=check.name,
                        result=check.result,
                        reason=check.reason,
                        detail=check.detail_zh,
                        detail_en=check.detail_en,
                        clause=check.clause,
                    )
                    for check in each.checks
                ],
            )
            for each in report.signatures
        ],
    )


@router.post("/receipt", max_body_size=128 * 1024, summary="核验收件凭证")
async def verify_receipt(body: Annotated[ReceiptBody, RawBody()], doors: DoorsHere) -> ReceiptVerdict:
    """Say whether a receipt was signed by intake and not changed since."""
    try:
        document = verify_document(body.receipt, keys_of(doors.receipt_keys), kind=RECEIPT_KIND)
    except Fault as fault:
        if fault.reason is SIGNATURE_WRONG:
            MISSES.labels("receipt").inc()
            return ReceiptVerdict(genuine=False, document=None)
        raise
    return ReceiptVerdict(genuine=True, document=document)
