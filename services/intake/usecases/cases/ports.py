"""What the verbs need from outside. ``Work`` is one open transaction with everything behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from chassis.event import Event
from services.intake.domain.cases.applicant import Applicant
from services.intake.domain.cases.case import Case, CaseState
from services.intake.domain.cases.deadlines import PartDeadline
from services.intake.domain.cases.states import PartState
from services.intake.domain.entrustment import Entrustment
from services.intake.domain.ratings import Rating, Rectification


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """One line of the applicant's list."""

    case_id: str
    case_no: str | None
    title: str
    county_code: str
    state: CaseState
    created_at: datetime
    submitted_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PartSummary:
    """One line of a department's list; ``changed_at`` and ``part_id`` are its place in the order."""

    part_id: str
    case_id: str
    case_no: str
    item_code: str
    item_name: str
    state: PartState
    claimed_by: str | None
    promised: PartDeadline | None
    submitted_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class PartChange:
    """One change of a part as its department hears it; ``revision`` is given when it is stored."""

    department_code: str
    part_id: str
    change: str
    state: PartState
    changed_at: datetime
    revision: int = 0


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of a case's timeline: when, which service, what, and the id of the thing it concerns."""

    case_id: str
    at: datetime
    service: str
    what: str
    reference: str


@dataclass(frozen=True, slots=True)
class ArchiveRecord:
    """Where the package of a closed case is, and its digests."""

    case_id: str
    file_id: str
    sha256: str
    sm3: str
    size_bytes: int
    manifest: str
    """Compact JWS over the manifest."""
    archived_at: datetime


class Cases(Protocol):
    """The cases of this service."""

    async def add(self, case: Case) -> None:
        """Store a new draft."""
        ...

    async def load(self, case_id: str, *, lock: bool = False) -> Case | None:
        """Return a case; with ``lock`` nobody else changes it until the transaction ends."""
        ...

    async def load_by_part(self, part_id: str, *, lock: bool = False) -> Case | None:
        """Return the case a part belongs to."""
        ...

    async def save(self, case: Case) -> None:
        """Store what changed since it was loaded. Raises ETAG_MISMATCH if someone else was quicker."""
        ...

    async def list_of_person(
        self,
        person_id: str,
        *,
        before: tuple[datetime, str] | None,
        limit: int,
        entrustment_ids: Sequence[str] = (),
    ) -> Sequence[CaseSummary]:
        """Return the person's cases and those begun under some entrustments, newest first, after a place."""
        ...

    async def list_of_department(
        self,
        department_code: str,
        states: Sequence[PartState],
        *,
        before: tuple[datetime, str] | None,
        limit: int,
    ) -> Sequence[PartSummary]:
        """Return the department's submitted parts, newest change first; no states: every state."""
        ...

    async def next_sequence(self, prefix: str, day: date) -> int:
        """Return the next number of a prefix and day, from 1; given up with the transaction."""
        ...

    async def silent_parts(self, received_before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        """Return (case_id, part_id) of parts in SUBMITTED that were received before a moment."""
        ...

    async def pending_deadlines(self, limit: int, *, after: str = "") -> Sequence[tuple[str, str]]:
        """Return (case_id, part_id) of undecided parts whose deadline waits for a calendar year."""
        ...


class Feed(Protocol):
    """The change feed of each department; revisions are given without a gap, in commit order.

    What a newer change of the same part replaced goes in time (`usecases.retention`).
    """

    async def append(self, changes: Sequence[PartChange]) -> None:
        """Give each change the next revision of its department; holds the counters until the commit."""
        ...

    async def read(self, department_code: str, after: int, limit: int) -> Sequence[PartChange]:
        """Return the changes after a revision, in order."""
        ...

    async def head(self, department_code: str) -> int:
        """Return the last revision given, 0 for none."""
        ...


class Timeline(Protocol):
    """What happened to each case in every service."""

    async def add(self, entries: Sequence[TimelineEntry]) -> None:
        """Keep entries; one that is known already is left as it is."""
        ...

    async def of_case(self, case_id: str) -> Sequence[TimelineEntry]:
        """Return the entries of a case in order of time."""
        ...


class Ratings(Protocol):
    """Ratings and the orders they open."""

    async def add(self, rating: Rating, order: Rectification | None) -> None:
        """Store a rating. Raises CASE_ALREADY_RATED."""
        ...

    async def of_case(self, case_id: str) -> Rating | None:
        """Return the rating of a case, or None."""
        ...


class Archive(Protocol):
    """Packages of closed cases."""

    async def add(self, record: ArchiveRecord) -> None:
        """Store where a package is."""
        ...

    async def of_case(self, case_id: str) -> ArchiveRecord | None:
        """Return the package of a case, or None."""
        ...


class Persons(Protocol):
    """Identity, as far as cases need it; implemented by ``store.identity``."""

    async def load(self, person_id: str) -> Applicant | None:
        """Return the person in clear, or None; a legal person with the phone of who represents it."""
        ...

    async def represents(self, person_id: str, uscc: str) -> bool:
        """Return whether a natural person may act now for the organisation with this code."""
        ...

    async def entrustment(self, entrustment_id: str) -> Entrustment | None:
        """Return an entrustment as it stands, or None."""
        ...

    async def entrusted_to_apply(self, agent: Applicant, now: datetime, limit: int) -> Sequence[str]:
        """Return the ids of entrustments in force now under which the agent may apply, the newest."""
        ...


class Work(Protocol):
    """One open transaction; everything in it becomes true together, events included."""

    @property
    def cases(self) -> Cases:
        """The cases."""
        ...

    @property
    def feed(self) -> Feed:
        """The departments' change feeds."""
        ...

    @property
    def timeline(self) -> Timeline:
        """The cases' timelines."""
        ...

    @property
    def ratings(self) -> Ratings:
        """The ratings."""
        ...

    @property
    def archive(self) -> Archive:
        """The archive."""
        ...

    @property
    def persons(self) -> Persons:
        """The persons."""
        ...

    def now(self) -> datetime:
        """Return the present, aware, UTC."""
        ...

    def publish(self, event: Event, version: int) -> None:
        """Have an event leave with the commit."""
        ...

    async def unsent_events(self, limit: int) -> int:
        """Return how many events wait for the bus, counted up to a limit."""
        ...


OpenWork = Callable[[], AbstractAsyncContextManager[Work]]
"""Opens a transaction; for verbs that ask another service in between, which no transaction may span."""


@dataclass(frozen=True, slots=True)
class FoundLicence:
    """A licence in the registry as its holder may preview it; names and numbers are masked."""

    licence_id: str
    type_code: str
    type_name: str
    number: str
    issuer_name: str
    county_code: str
    holder_name: str
    issued_date: str
    valid_until: str
    trust_grade: str
    face: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agency:
    """Who acts for a holder towards the registry, and under which entrustment of the holder."""

    entrustment_id: str
    id_type_code: str
    id_number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UseCodeOrder:
    """What a use-code is to be bound to."""

    licence_id: str
    holder_id_type_code: str
    holder_id_number: str = field(repr=False)
    item_code: str
    case_id: str
    consumer_code: str
    face_fields: tuple[str, ...]
    use_cause: str
    expires_at: datetime
    consent_version: str
    consented_at: datetime
    consent_id: str
    """Of the agreement in the case that the code is issued under."""
    agency: Agency | None = None
    """Set where an agent of the holder orders it."""


class Licences(Protocol):
    """The licence registry (certs), asked as the acting person of the current call."""

    async def find(
        self,
        *,
        holder_id_type_code: str,
        holder_id_number: str,
        type_codes: Sequence[str],
        use_cause: str,
        item_code: str,
        case_id: str,
        agency: Agency | None = None,
    ) -> Sequence[FoundLicence]:
        """Return the holder's licences of these types that are in force; for an agent those entrusted.

        Raises PEER_UNAVAILABLE, and for an agent what the registry refuses the entrustment for, which it
        records for the holder.
        """
        ...

    async def issue_use_code(self, order: UseCodeOrder, request_id: str) -> tuple[str, datetime]:
        """Return a fresh use-code and when it expires. Raises the registry's refusals."""
        ...

    async def revoke_use_codes(self, case_id: str, reason: str, request_id: str) -> int:
        """Take back all use-codes of a case; return how many."""
        ...

    async def document(self, licence_id: str, *, use_cause: str, item_code: str, case_id: str) -> bytes:
        """Return the sealed OFD of a licence in force."""
        ...


class Files(Protocol):
    """Files at rest, encrypted; the id tells nothing about the content."""

    async def put(self, data: bytes) -> str:
        """Keep bytes and return their id."""
        ...

    async def get(self, key: str) -> bytes:
        """Return the bytes. Raises FILE_NOT_FOUND."""
        ...


SignDocument = Callable[[dict[str, Any], str], str]
"""(document, kind) → compact JWS (ES256) under intake's key."""
