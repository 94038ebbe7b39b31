"""What the use cases need from the outside: the records of one open transaction, files, ids, a signer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from chassis.event import Event
from services.certs.domain.holder import Holder
from services.certs.domain.licence import Licence
from services.certs.domain.log import Leaf
from services.certs.domain.presentation import KIND, Showing, Summary
from services.certs.domain.status import StatusChange
from services.certs.domain.usage import ShownUse, Usage
from services.certs.domain.use_code import Consent, UseCode
from services.certs.domain.use_code.entrustment import Person
from services.certs.usecases.evidence_ports import Evidence
from services.certs.usecases.import_ports import Imports, Sources
from services.certs.usecases.life.ports import Life
from services.certs.usecases.recourse_ports import Recourse

Asked = tuple[str, str, Sequence[str]]
"""Whose licences are looked for: id type, id number, type codes (none: every type)."""


class Licences(Protocol):
    """The licences, whole and in clear, within one open transaction."""

    async def find(self, id_type_code: str, id_number: str, type_codes: Sequence[str]) -> list[Licence]:
        """Return the licences of a holder, newest issue first; no type codes means every type."""

    async def find_each(self, asked: Sequence[Asked]) -> list[list[Licence]]:
        """Return for each holder what `find` returns, in one statement."""

    async def get(self, licence_id: str) -> Licence | None:
        """Return a licence by id."""

    async def get_each(self, licence_ids: Sequence[str]) -> list[Licence]:
        """Return those of these licences that there are, in their order, in one statement."""

    async def by_identifier(self, identifier: str) -> Licence | None:
        """Return a licence by its GB/T 36904 identifier."""

    async def by_part(self, part_id: str) -> Licence | None:
        """Return the licence that an approved part resulted in."""

    async def lock(self, licence_id: str) -> Licence | None:
        """Return a licence and hold its row until the transaction ends."""

    async def add(self, licence: Licence) -> Licence:
        """Store a new licence and return it with the lineage that its identifier belongs to."""

    async def save_state(self, licence: Licence) -> None:
        """Store status and sealing under the licence's new version. Raises ETAG_MISMATCH."""

    async def save_refusal(self, licence: Licence) -> None:
        """Store why the seal was refused; the version stays, since nothing is told of it."""

    async def add_change(self, licence: Licence, change: StatusChange, changed_by: str) -> None:
        """Append a line to the status history, under the licence's new version."""

    async def next_serial(self, issuer_code: str, type_code: str, year: int) -> int:
        """Return the next sequence of an issuer, type and year; it is used up if the transaction commits."""

    async def is_begun(self, licence: Licence) -> bool:
        """Say whether any version of a licence's serial is registered; none is imported until the transaction ends."""

    async def claim_over(self, today: date, limit: int) -> list[Licence]:
        """Lock and return licences in force or suspended whose last day lies before ``today``."""


class UseCodes(Protocol):
    """The use-codes; only digests of the codes are kept."""

    async def add(self, code: UseCode, digest: bytes, consent: Consent) -> None:
        """Store a new use-code."""

    async def find(self, digest: bytes) -> UseCode | None:
        """Return the use-code whose digest this is."""

    async def note_holder(self, use_code_id: str, holder: Person) -> None:
        """Keep who of several holders agreed to a use-code."""

    async def holder_of(self, use_code_id: str, holders: Sequence[Holder]) -> Holder | None:
        """Return who of these holders agreed to a use-code; None if that is not on record."""

    async def take_one_use(self, use_code_id: str, now: datetime) -> bool:
        """Take one use, atomically; False when none is left, or it expired or was revoked meanwhile."""

    async def revoke(self, case_id: str, reason: str, now: datetime) -> int:
        """Revoke the case's codes that still have uses left; return how many."""

    async def revoke_entrusted(self, entrustment_id: str, reason: str, now: datetime) -> int:
        """Revoke the codes with uses left that were issued under an entrustment; return how many."""


class Usages(Protocol):
    """The usage record; append-only."""

    async def add(self, usages: Sequence[Usage]) -> None:
        """Append lines."""

    def record_if_refused(self, usages: Sequence[Usage]) -> None:
        """Have lines appended, in a transaction of their own, if this one ends with a refusal."""

    async def add_finds(self, usages: Sequence[Usage]) -> None:
        """Append lines of look-ups, in one statement; outside a transaction too all or none."""

    async def of_holder(
        self, id_type_code: str, id_number: str, before: tuple[datetime, str] | None, limit: int
    ) -> list[ShownUse]:
        """Return the uses of a holder's licences, newest first, older than the given place."""


class Presentations(Protocol):
    """The presentation codes; only digests are kept."""

    async def add(
        self, presentation_id: str, digest: bytes, summary: Summary, entrustment_id: str = ""
    ) -> None:
        """Store a new presentation, and under which entrustment an agent shows it."""

    async def scan(self, digest: bytes, scanned_by: str, now: datetime) -> Showing | None:
        """Mark as scanned, atomically, and return it; None if it cannot be scanned (any more)."""

    async def digest_of(self, handle: str) -> bytes | None:
        """Return the digest of the code that a QR summary names."""

    async def supersede(self, licence_id: str, until: datetime) -> None:
        """Have no unscanned code of a licence outlive ``until``: the next one is on the screen."""

    async def look(self, digest: bytes) -> Showing | None:
        """Return a presentation."""


class Log(Protocol):
    """The queue of the transparency log: what is queued goes into the log if, and only if, the transaction commits.

    New licences, lines of their history, use-codes and lines of the usage record queue themselves where they
    are stored; whatever else changes is queued by its use case.
    """

    async def append(self, leaf: Leaf) -> None:
        """Queue one leaf. Raises AUDIT_UNWRITABLE."""

    async def append_many(self, leaves: Sequence[Leaf]) -> None:
        """Queue leaves in their order, in one statement. Raises AUDIT_UNWRITABLE."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything kept about licences, within one open transaction."""

    licences: Licences
    imports: Imports
    sources: Sources
    use_codes: UseCodes
    usages: Usages
    presentations: Presentations
    publish: Callable[[Event, int], None]
    """Have an event leave with this transaction, under the aggregate's version after it."""
    log: Log
    evidence: Evidence
    """Cases, entrustments, copies and further searches."""
    life: Life
    """Orders, versions and copies, inspections, erasures."""
    recourse: Recourse
    """Who relied on licences, who disputes them, how holders read their uses."""


class Documents(Protocol):
    """Where documents are kept, by their SHA-256 in hex."""

    async def put(self, data: bytes) -> str:
        """Keep a document and return its digest."""

    async def get(self, key: str) -> bytes:
        """Return a document, checked. Raises FILE_NOT_FOUND, FILE_BROKEN."""


class SummarySigner(Protocol):
    """Signs what leaves the registry as a statement of its own: summaries, answers, offline QR codes."""

    def sign(self, claims: dict[str, Any], kind: str = KIND) -> str:
        """Return a compact JWS of a kind; it names the key by its id."""

    def read(self, jws: str, kind: str = KIND) -> dict[str, Any]:
        """Return the claims of a JWS of a kind signed here, now or with an earlier key. Raises SIGNATURE_WRONG."""


NewId = Callable[[], str]
"""Returns a fresh id (UUIDv7)."""
