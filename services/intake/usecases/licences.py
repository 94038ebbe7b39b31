"""A holder's own licences: look, show (亮证), fetch; and verification for everyone.

The registry stays with certs, the seals with seal; whose licences are asked for is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from chassis.auth.person import ActingPerson
from chassis.errors import Kind, declare
from services.intake.usecases.identity.persons import principal
from services.intake.usecases.identity.ports import OpenIdentity

OWN_LICENCE_NOT_FOUND = declare(
    "OWN_LICENCE_NOT_FOUND",
    Kind.NOT_FOUND,
    "您名下没有这份电子证照",
    "You hold no such licence",
)

Holder = tuple[str, str]
"""Kind of number (GB/T 36903 Annex A) and number."""


class DocumentForm(StrEnum):
    """In which form a licence is fetched: the OFD, or its PDF companion."""

    OFD = "ofd"
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class OwnLicence:
    """A licence as its holder's screen shows it: names and numbers masked, dates as YYYY-MM-DD."""

    licence_id: str
    identifier: str
    type_code: str
    type_name: str
    number: str
    status: str
    issuer_name: str
    county_code: str
    holder_name: str = field(repr=False)
    issued_date: str
    valid_from: str
    valid_until: str
    trust_grade: str
    face: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Presentation:
    """A code that shows one licence once, for a short time."""

    code: str = field(repr=False)
    qr_text: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Scan:
    """What whoever scans is told."""

    licence: OwnLicence
    verdict: str
    verified_at: datetime


class Wallet(Protocol):
    """The licence registry (certs), asked for one holder."""

    async def of_holder(self, holder: Holder) -> Sequence[OwnLicence]:
        """Return the holder's licences of every county and type."""
        ...

    async def document(self, licence_id: str, form: DocumentForm) -> bytes:
        """Return the sealed document. Raises DOCUMENT_ABSENT and what else the registry answers."""
        ...

    async def present(self, licence_id: str, holder: Holder, request_id: str) -> Presentation:
        """Return a fresh presentation, the same for the same request id."""
        ...

    async def scan(self, code: str, request_id: str) -> Scan:
        """Take the one scan of a code."""
        ...


@dataclass(frozen=True, slots=True)
class SealCheck:
    """One check of one signature: valid, invalid, indeterminate or not_applicable."""

    name: str
    result: str
    reason: str
    detail_zh: str
    detail_en: str
    clause: str


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """One signature of a document, check by check."""

    verdict: str
    seal_id: str
    seal_name: str
    signed_at: datetime | None
    checks: Sequence[SealCheck]


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """VALID, INVALID, INDETERMINATE or UNSIGNED, and why."""

    verdict: str
    signatures: Sequence[SignatureReport]


class SealVerifier(Protocol):
    """Verification of sealed documents (seal)."""

    async def verify(self, document: bytes) -> DocumentReport:
        """Return the report on an OFD as of now."""
        ...


async def list_own(open_work: OpenIdentity, wallet: Wallet, actor: ActingPerson) -> Sequence[OwnLicence]:
    """Return the licences of whom the actor acts for, of every county."""
    return await wallet.of_holder(await _holder(open_work, actor))


async def present(
    open_work: OpenIdentity, wallet: Wallet, actor: ActingPerson, licence_id: str, request_id: str
) -> Presentation:
    """Return a code that shows an own licence. Raises OWN_LICENCE_NOT_FOUND, LICENCE_NOT_USABLE."""
    holder = await _holder(open_work, actor)
    await _require_own(wallet, holder, licence_id)
    return await wallet.present(licence_id, holder, request_id)


async def own_document(
    open_work: OpenIdentity,
    wallet: Wallet,
    actor: ActingPerson,
    licence_id: str,
    form: DocumentForm = DocumentForm.OFD,
) -> bytes:
    """Return the sealed document of an own licence.

    Raises OWN_LICENCE_NOT_FOUND, DOCUMENT_ABSENT, and of a PDF that is not there why.
    """
    await _require_own(wallet, await _holder(open_work, actor), licence_id)
    return await wallet.document(licence_id, form)


async def _holder(open_work: OpenIdentity, actor: ActingPerson) -> Holder:
    async with open_work() as work:
        person = await principal(work, actor)
    return person.id_type_code, person.id_number


async def _require_own(wallet: Wallet, holder: Holder, licence_id: str) -> None:
    """Ask whose licence this is first: the registry trusts intake to ask for the holder only."""
    if all(each.licence_id != licence_id for each in await wallet.of_holder(holder)):
        raise OWN_LICENCE_NOT_FOUND()
