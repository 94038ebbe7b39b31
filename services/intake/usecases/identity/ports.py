"""What identity needs from outside. ``IdentityWork`` is one open transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from chassis.auth.assertions import TerminalAssertion
from chassis.auth.person import ActingPerson
from chassis.clock import Clock
from chassis.event import Event
from services.intake.domain.identity.challenge import Challenge
from services.intake.domain.identity.person import CardReading, Person
from services.intake.domain.identity.representation import Representation
from services.intake.domain.identity.session import Session


@dataclass(frozen=True, slots=True)
class Waiting:
    """A challenge with what is known of who answers it; the personal part is gone once it is over."""

    challenge: Challenge
    subject: bytes
    code_hash: bytes = field(repr=False)
    reading: CardReading | None
    phone: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContactRead:
    """A record of who read a person's contact, and why."""

    person_id: str
    reader: str
    purpose: str
    read_at: datetime


class PersonStore(Protocol):
    """The persons."""

    async def find(self, id_type_code: str, id_number: str) -> Person | None:
        """Return the person with a number, or None."""
        ...

    async def read(self, person_id: str) -> Person | None:
        """Return a person in clear, or None; a legal person with the phone of who represents it."""
        ...

    async def add(self, person: Person) -> bool:
        """Store a new person; False when the number is registered already (by whoever was quicker)."""
        ...

    async def set_email(self, person_id: str, email: str) -> None:
        """Store where notices also go; empty: nowhere."""
        ...


class ChallengeStore(Protocol):
    """The challenges of log-ins."""

    async def add(self, waiting: Waiting) -> None:
        """Store a challenge."""
        ...

    async def load(self, session_id: str) -> Waiting | None:
        """Return a challenge; nobody else changes it until the transaction ends."""
        ...

    async def save(self, challenge: Challenge) -> None:
        """Store its state; once it is over, reading and phone are erased."""
        ...

    async def failures(self, subject: bytes, since: datetime) -> Sequence[datetime]:
        """Return when challenges of a subject failed, after a moment."""
        ...

    async def forget(self, before: datetime) -> int:
        """Delete challenges opened before a moment; return how many."""
        ...


class SessionStore(Protocol):
    """The sessions."""

    async def add(self, session: Session) -> None:
        """Store a session."""
        ...

    async def load(self, session_id: str) -> Session | None:
        """Return a session, or None."""
        ...

    async def save(self, session: Session) -> None:
        """Store whether it has ended."""
        ...

    async def live(self, person_id: str | None, now: datetime) -> Sequence[str]:
        """Return the ids of the sessions of a person that live, of everybody's for None."""
        ...


class AssertionStore(Protocol):
    """Which assertions of terminals were used."""

    async def use(self, assertion: TerminalAssertion) -> bool:
        """Note the use; False when it was used before."""
        ...

    async def forget(self, before: datetime) -> int:
        """Delete those that expired before a moment; return how many."""
        ...


class RepresentationStore(Protocol):
    """Who may act for which organisation."""

    async def put(self, representation: Representation) -> None:
        """Store one, in place of an earlier one of the same pair."""
        ...

    async def load(self, organisation_id: str, person_id: str) -> Representation | None:
        """Return the representation of a pair, revoked or not, or None."""
        ...

    async def of_person(self, person_id: str) -> Sequence[Representation]:
        """Return the active ones of a person, oldest first."""
        ...

    async def of_organisation(self, organisation_id: str) -> Sequence[Representation]:
        """Return the active ones of an organisation; nobody else adds one until the transaction ends."""
        ...

    async def end_by_licence(self, licence_id: str, ended_at: datetime) -> int:
        """End the active ones that a licence proved before a moment; return how many."""
        ...


class ContactReadStore(Protocol):
    """The record of contact readings."""

    async def add(self, read: ContactRead) -> None:
        """Append one."""
        ...


class IdentityWork(Protocol):
    """One open transaction; everything in it becomes true together, events included."""

    @property
    def persons(self) -> PersonStore:
        """The persons."""
        ...

    @property
    def challenges(self) -> ChallengeStore:
        """The challenges."""
        ...

    @property
    def sessions(self) -> SessionStore:
        """The sessions."""
        ...

    @property
    def assertions(self) -> AssertionStore:
        """The used assertions."""
        ...

    @property
    def representations(self) -> RepresentationStore:
        """The representations."""
        ...

    @property
    def contact_reads(self) -> ContactReadStore:
        """The record of contact readings."""
        ...

    def now(self) -> datetime:
        """Return the present, aware, UTC."""
        ...

    def publish(self, event: Event, version: int) -> None:
        """Have an event leave with the commit."""
        ...


OpenIdentity = Callable[[], AbstractAsyncContextManager[IdentityWork]]


class Codes(Protocol):
    """One-time codes, made from the id of their session under a secret key and kept as a hash only."""

    def subject(self, id_type_code: str, id_number: str) -> bytes:
        """Return what stands for a person, registered or not, wherever their number must not."""
        ...

    def code_of(self, session_id: str) -> str:
        """Return the code of a session: the same one each time, which nobody else can compute."""
        ...

    def hash_of(self, session_id: str, code: str) -> bytes:
        """Return the keyed hash of a code under its session."""
        ...


class CodeSender(Protocol):
    """Sends one-time codes (notify)."""

    async def send(
        self, request_id: str, *, phone: str, code: str, minutes: int, expires_at: datetime
    ) -> None:
        """Have one short message sent, exactly one per request id. Raises PEER_UNAVAILABLE."""
        ...


class Terminals(Protocol):
    """The registered terminals and their keys."""

    def prove(self, assertion: str, bound_to: dict[str, str], now: datetime) -> TerminalAssertion:
        """Return who signed, over which values. Raises NOT_AUTHENTICATED."""
        ...


class Tokens(Protocol):
    """Signs bearer tokens."""

    def sign(self, person: ActingPerson, *, lifetime_seconds: int) -> str:
        """Return a token for the person, valid from now."""
        ...


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many tries within a moving window, per key."""

    name: str
    amount: int
    per_seconds: int
    aligned: bool = False
    """Counted from multiples of the window's length on; for large amounts."""


class Limits(Protocol):
    """Counts tries, also failed ones, across restarts and processes."""

    async def check(self, allowance: Allowance, key: str, *, cost: int = 1) -> None:
        """Take one try, or ``cost`` units. Raises TOO_MANY_REQUESTS."""
        ...

    async def check_all(self, wanted: Sequence[tuple[Allowance, str]]) -> None:
        """Take one try of each, or none of any. Raises TOO_MANY_REQUESTS."""
        ...

    async def require_left(self, allowance: Allowance, key: str) -> None:
        """Do nothing while an allowance has a try left; takes none. Raises TOO_MANY_REQUESTS."""
        ...

    async def forget_expired(self) -> int:
        """Delete counts that matter no more; return how many."""
        ...


@dataclass(frozen=True, slots=True)
class CodeBudgets:
    """How many one-time codes leave in an hour, beyond what one person and one number may have."""

    per_terminal: int = 600
    per_network: int = 3_000
    in_all: int = 20_000


@dataclass(frozen=True, slots=True)
class BusinessLicence:
    """A business licence in force that names a person as legal representative; no copy of it."""

    licence_id: str
    organisation_name: str


class LicenceRegistry(Protocol):
    """The licence registry (certs), asked for a yes or no."""

    async def business_licence(self, uscc: str, representative: str) -> BusinessLicence | None:
        """Return the organisation's business licence if it is in force and names this representative."""
        ...


@dataclass(frozen=True, slots=True)
class LogIn:
    """Everything the log-in needs."""

    now: Clock
    open_work: OpenIdentity
    codes: Codes
    sender: CodeSender
    terminals: Terminals
    tokens: Tokens
    limits: Limits
    code_budgets: CodeBudgets = field(default_factory=CodeBudgets)
