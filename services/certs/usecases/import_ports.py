"""What an import needs of the registry, and the rows as they travel: prepared, encrypted, without clear text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from chassis.errors import Violation
from chassis.event import Event
from services.certs.domain.importing import Arrivals, RowAnswer, Source
from services.certs.domain.importing.verdicts import Version
from services.certs.domain.licence import Licence
from services.certs.domain.status import StatusChange


class SealedRow(NamedTuple):
    """The encrypted parts of an imported licence and the keys it is found by."""

    lineage_id: UUID
    public_identifier: str
    identifier_key: bytes
    number_key: bytes
    holder_keys: tuple[bytes, ...]
    subject: bytes
    face: bytes


class Stored(NamedTuple):
    """An imported licence as its row will hold it. A tuple: a thousand of them cross to another process."""

    lineage_id: UUID
    identifier: str
    identifier_key: bytes
    number_key: bytes
    holder_keys: tuple[bytes, ...]
    type_code: str
    type_version: int
    type_name: str
    issuer_code: str
    issuer_name: str
    county_code: str
    subject: bytes
    face: bytes
    issued_date: date
    valid_from: date | None
    valid_until: date | None
    status: str
    states_status: bool
    trust_grade: str
    serial_version: int
    acted_on: date
    salt: bytes
    commitment: str
    """What the transparency log says of the content, under the salt."""


class Cancellation(NamedTuple):
    """What a row that cancels a licence says: which, why, since when (None: now)."""

    identifier_key: bytes
    reason: str
    acted_on: date | None


class PreparedRow(NamedTuple):
    """A row after its own rules: refused with its problems, or ready to be stored, or a cancellation."""

    row_number: int
    operation: str
    content_key: bytes
    answer_key: bytes
    """What a stored answer is for: the content and what was asked for."""
    problems: tuple[Violation, ...] = ()
    flags: tuple[str, ...] = ()
    stored: Stored | None = None
    cancellation: Cancellation | None = None

    def plain(self) -> tuple[Any, ...]:
        """Return the row as tuples without names, which cross to another process at half the cost."""
        return (*self[:6], self.stored and tuple(self.stored), self.cancellation)

    @classmethod
    def of(cls, plain: tuple[Any, ...]) -> PreparedRow:
        """Return the row that `plain` was made of."""
        return cls._make((*plain[:6], plain[6] and Stored._make(plain[6]), plain[7]))

    @property
    def identifier_key(self) -> bytes:
        """The key of the licence that the row is about."""
        if self.cancellation is not None:
            return self.cancellation.identifier_key
        assert self.stored is not None
        return self.stored.identifier_key


@dataclass(frozen=True, slots=True)
class Held:
    """What the registry holds under the identifier of an imported row."""

    licence_id: str
    identifier: str
    origin: str
    status: str
    county_code: str
    issuer_code: str
    type_code: str
    version: int
    content_key: bytes
    source_id: str
    priority: int


@dataclass(frozen=True, slots=True)
class Numbered:
    """A registered licence with the number of an imported row."""

    identifier_key: bytes
    lineage_id: UUID
    holder_keys: frozenset[bytes]


class Write(NamedTuple):
    """A licence to be stored: its row, id, version after it, status, and the row's content key."""

    row: PreparedRow
    licence_id: str
    version: int
    status: str
    previous: str = ""
    """The status before, of a licence whose content is replaced."""

    @property
    def content_version(self) -> int:
        """The version after the new content; a status that changes with it has one of its own after that."""
        return self.version - (self.previous not in {"", self.status})

    @property
    def stored(self) -> Stored:
        """The licence."""
        assert self.row.stored is not None
        return self.row.stored


@dataclass(frozen=True, slots=True)
class Changed:
    """A licence whose status a register changed: what stands in its history."""

    licence_id: str
    identifier: str
    version: int
    change: StatusChange


@dataclass(frozen=True, slots=True)
class Replaced:
    """A licence that a later version of the same lineage took the place of."""

    licence_id: str
    identifier: str
    previous: str
    version: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two sources that say different things of one licence (数据冲突), and what was decided.

    The digests are keyed: equal contents have equal ones, and they tell nothing else.
    """

    conflict_id: str
    licence_id: str
    source_id: str
    held_source_id: str
    held_key: bytes
    offered_key: bytes
    issuer_code: str
    found_at: datetime
    resolution: str = ""
    resolved_at: datetime | None = None
    resolved_by: str = ""
    reason: str = ""


class RowVault(Protocol):
    """Encrypts and indexes imported rows; needs no transaction."""

    def content_keys(self, rows: Iterable[Mapping[str, str]]) -> list[bytes]:
        """Return a keyed digest of each row's content: equal rows, and only they, have equal ones.

        Rows hold what they were given with: no empty value, no space around one.
        """

    def identifier_key(self, identifier: str) -> bytes:
        """Return the blind index of an identifier."""

    def seal_rows(self, licences: Sequence[Licence]) -> list[SealedRow]:
        """Return what of each licence is stored encrypted or as an index."""


class Imports(Protocol):
    """The set-based side of the registry; every call is one statement however many rows."""

    async def hold(self, registers: Sequence[str]) -> None:
        """Hold names until the transaction ends; imports that share one wait for each other."""

    async def answered(
        self, caller: str, batch_id: str, row_numbers: Sequence[int]
    ) -> dict[int, tuple[bytes, RowAnswer]]:
        """Return the stored answers of rows, each with the key of what it answered."""

    async def lock_all(self, lineage_ids: Collection[UUID], identifier_keys: Collection[bytes]) -> set[UUID]:
        """Lock every version of these lineages, and what is held under these identifiers, before anything else.

        Return the lineages that have a version.
        """

    async def lock_held(self, identifier_keys: Sequence[bytes]) -> dict[bytes, Held]:
        """Lock and return what is held under these identifiers, by their key."""

    async def lock_lines(self, lineage_ids: Sequence[UUID]) -> dict[UUID, list[Version]]:
        """Return the registered versions of these lineages, by lineage, after `lock_all`."""

    async def numbered(self, number_keys: Sequence[bytes]) -> dict[tuple[bytes, str, str], list[Numbered]]:
        """Return the licences with these numbers, by the number's key, type and issuer."""

    async def insert(self, writes: Sequence[Write], source_id: str) -> bool:
        """Insert licences; False, and none of them, when another transaction took an identifier meanwhile."""

    async def replace(self, writes: Sequence[Write], source_id: str) -> None:
        """Replace the content of locked licences; the earlier content is kept beside them."""

    async def replace_older_versions(self, licence_ids: Sequence[str]) -> list[Replaced]:
        """Mark what later versions of the same lineages replaced, and return those."""

    async def change(self, changes: Sequence[Changed], changed_by: str, *, save: bool) -> None:
        """Append lines to the status history; with ``save`` store the new status and version as well."""

    def publish(self, events: Sequence[tuple[Event, int]]) -> None:
        """Have events leave with this transaction, each under its aggregate's version after it."""

    async def remember(self, caller: str, batch_id: str, answers: Sequence[tuple[bytes, RowAnswer]]) -> None:
        """Store answers, so that a resumed import is answered the same."""

    async def add_conflicts(self, conflicts: Sequence[tuple[Conflict, Mapping[str, str]]]) -> None:
        """Put conflicts on record with the rows that were not taken; one that is open already stays one."""


class Sources(Protocol):
    """The sources of licence data, within one open transaction."""

    async def find(self, source_id: str) -> Source | None:
        """Return a source. Raises ROW_ALTERED."""

    async def lock(self, source_id: str) -> Source | None:
        """Return a source and hold its row until the transaction ends. Raises ROW_ALTERED."""

    async def save(self, source: Source, registered_by: str) -> None:
        """Store a source, new or changed."""

    async def page(self, after: str, limit: int, department_code: str) -> list[Source]:
        """Return sources in the order of their ids; of one department, or of all for an empty code."""

    async def priorities(self, source_ids: Sequence[str]) -> dict[str, int]:
        """Return the priorities of those of these sources that are registered. Raises ROW_ALTERED."""

    async def note_arrivals(self, source_id: str, arrived: Sequence[Arrivals]) -> None:
        """Keep what an import says about the freshness of its source."""

    async def conflict(self, conflict_id: str) -> tuple[Conflict, dict[str, str]] | None:
        """Return a conflict and the row that was not taken, its row locked. Raises ROW_ALTERED."""

    async def save_resolution(self, conflict: Conflict) -> None:
        """Store how a conflict was resolved, and what was held then."""

    async def overruled(self, source_id: str, licence_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the content of the source that somebody decided against, by licence. Raises ROW_ALTERED."""

    async def conflicts(
        self, owner: str, *, open_only: bool, before: tuple[datetime, str] | None, limit: int
    ) -> list[Conflict]:
        """Return conflicts, newest first: of the department's sources and licences, or all for an empty owner."""

    async def licences_of_days(
        self,
        source_id: str,
        type_code: str,
        days: tuple[date, date],
        after: tuple[date, str] | None,
        limit: int,
    ) -> list[Licence]:
        """Return what a source delivered of a type, issued on days, in the order of day and id."""

    async def count_of_days(self, source_id: str, type_code: str, first: date, last: date) -> int:
        """Return how many licences of a type a source delivered, issued on these days."""
