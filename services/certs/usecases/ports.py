"""What the use cases need from the outside: the records of one open transaction, files, ids, a signer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from chassis.event import Event
from services.certs.domain.importing import RowAnswer
from services.certs.domain.licence import Licence
from services.certs.domain.presentation import Summary
from services.certs.domain.status import StatusChange
from services.certs.domain.usage import ShownUse, Usage
from services.certs.domain.use_code import Consent, UseCode


class Licences(Protocol):
    """The licences, whole and in clear, within one open transaction."""

    async def find(self, id_type_code: str, id_number: str, type_codes: Sequence[str]) -> list[Licence]:
        """Return the licences of a holder, newest issue first; no type codes means every type."""

    async def get(self, licence_id: str) -> Licence | None:
        """Return a licence by id."""

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

    async def claim_over(self, today: date, limit: int) -> list[Licence]:
        """Lock and return licences in force or suspended whose last day lies before ``today``."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the registry holds under the identifier of an imported row."""

    licence_id: str
    origin: str
    status: str
    county_code: str
    version: int
    content_key: bytes


@dataclass(frozen=True, slots=True)
class Replaced:
    """A licence that a later version of the same lineage took the place of."""

    licence_id: str
    identifier: str
    previous: str
    version: int


@dataclass(frozen=True, slots=True)
class SealedRow:
    """The encrypted parts of an imported licence and the keys it is found by."""

    lineage_id: UUID
    public_identifier: str
    identifier_key: bytes
    holder_keys: tuple[bytes, ...]
    subject: bytes
    face: bytes


class RowVault(Protocol):
    """Encrypts and indexes imported rows; needs no transaction."""

    def content_key(self, fields: Mapping[str, str]) -> bytes:
        """Return a keyed digest of a row's content: equal rows, and only they, have equal ones."""

    def seal_row(self, licence: Licence) -> SealedRow:
        """Return what of a licence is stored encrypted or as an index."""


Entry = tuple[Licence, SealedRow, bytes]
"""What is written for a row: the licence, its encrypted parts, the row's content key."""


class Imports(Protocol):
    """The set-based side of the registry; every call is one statement however many rows."""

    async def answered(
        self, caller: str, batch_id: str, row_numbers: Sequence[int]
    ) -> dict[int, tuple[bytes, RowAnswer]]:
        """Return the stored answers of rows, each with the content key of the row it answered."""

    async def lock_held(self, identifier_keys: Sequence[bytes]) -> dict[bytes, Held]:
        """Lock and return what is held under these identifiers, by their key."""

    async def insert(self, entries: Sequence[Entry]) -> set[str]:
        """Insert licences; return the ids of those nobody inserted meanwhile."""

    async def replace(self, entries: Sequence[Entry]) -> None:
        """Replace the content of locked licences; the earlier content is kept beside them."""

    async def replace_older_versions(self, licence_ids: Sequence[str]) -> list[Replaced]:
        """Mark what later versions of the same lineages replaced, and return those."""

    async def remember(self, caller: str, batch_id: str, answers: Sequence[tuple[bytes, RowAnswer]]) -> None:
        """Store answers, so that a resumed import is answered the same."""


class UseCodes(Protocol):
    """The use-codes; only digests of the codes are kept."""

    async def add(self, code: UseCode, digest: bytes, consent: Consent) -> None:
        """Store a new use-code."""

    async def find(self, digest: bytes) -> UseCode | None:
        """Return the use-code whose digest this is."""

    async def take_one_use(self, use_code_id: str, now: datetime) -> bool:
        """Take one use, atomically; False when none is left, or it expired or was revoked meanwhile."""

    async def revoke(self, case_id: str, reason: str, now: datetime) -> int:
        """Revoke the case's codes that still have uses left; return how many."""


class Usages(Protocol):
    """The usage record; append-only."""

    async def add(self, usages: Sequence[Usage]) -> None:
        """Append lines."""

    async def of_holder(
        self, id_type_code: str, id_number: str, before: tuple[datetime, str] | None, limit: int
    ) -> list[ShownUse]:
        """Return the uses of a holder's licences, newest first, older than the given place."""


class Presentations(Protocol):
    """The presentation codes; only digests are kept."""

    async def add(self, presentation_id: str, digest: bytes, summary: Summary) -> None:
        """Store a new presentation."""

    async def scan(self, digest: bytes, scanned_by: str, now: datetime) -> str | None:
        """Mark as scanned, atomically, and return the licence; None if it cannot be scanned (any more)."""

    async def digest_of(self, handle: str) -> bytes | None:
        """Return the digest of the code that a QR summary names."""

    async def look(self, digest: bytes) -> tuple[str, datetime, datetime | None] | None:
        """Return licence, expiry and time of the scan of a presentation."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything kept about licences, within one open transaction."""

    licences: Licences
    imports: Imports
    use_codes: UseCodes
    usages: Usages
    presentations: Presentations
    publish: Callable[[Event, int], None]
    """Have an event leave with this transaction, under the aggregate's version after it."""


class Documents(Protocol):
    """Where documents are kept, by their SHA-256 in hex."""

    async def put(self, data: bytes) -> str:
        """Keep a document and return its digest."""

    async def get(self, key: str) -> bytes:
        """Return a document, checked. Raises FILE_NOT_FOUND, FILE_BROKEN."""


class SummarySigner(Protocol):
    """Signs presentation summaries with the key of this registry."""

    def sign(self, claims: dict[str, Any]) -> str:
        """Return a compact JWS."""

    def read(self, jws: str) -> dict[str, Any]:
        """Return the claims of a JWS signed here. Raises SIGNATURE_WRONG."""


NewId = Callable[[], str]
"""Returns a fresh id (UUIDv7)."""
