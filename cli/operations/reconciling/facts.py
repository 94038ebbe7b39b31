"""What the four databases say of one day, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start`` to before ``until``: the settled moments of a day."""

    day: date
    start: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class ApprovedPart:
    """A part of a case that was approved, with a licence to come of it."""

    part_id: str
    county: str
    type_code: str
    state: str
    licence_id: str | None


@dataclass(frozen=True, slots=True)
class MadeLicence:
    """A licence that was made from an approval."""

    licence_id: str
    part_id: str
    county: str
    type_code: str
    status: str
    sealed_sha256: str
    signature_id: str
    has_file: bool
    """Whether its sealed document lies in the registry's store."""


@dataclass(frozen=True, slots=True)
class SealUse:
    """A row of the seal ledger that says ``sealed``."""

    licence_id: str
    signature_id: str
    document_sm3: str
    signature_sm3: str


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A sealed document of the seal service; the digests of its content where its keyring was given."""

    signature_id: str
    sha256: str
    opened: bool
    content_sha256: str = ""
    content_sm3: str = ""
    signatures_sm3: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """An event of an outbox."""

    event_id: str
    name: str
    told: bool
    """Whether notify tells it to the applicant."""
    has_phone: bool
    """Whether a text message is due as well: a natural person always has a number."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of notify that an event caused."""

    message_id: str
    event_id: str
    channel: str
    state: str
    attempts_taken: int
    """How many attempts of the send ledger a provider took over."""


@dataclass(slots=True)
class Day:
    """Everything of a day; keys are ids."""

    window: Window
    parts: dict[str, ApprovedPart] = field(default_factory=dict)
    other_parts: set[str] = field(default_factory=set)
    """Approved on another day, or too lately to be judged."""
    licences: list[MadeLicence] = field(default_factory=list)
    uses: list[SealUse] = field(default_factory=list)
    licences_of_uses: set[str] = field(default_factory=set)
    """Which licences of ledger rows the registry knows."""
    documents: dict[str, StoredDocument] = field(default_factory=dict)
    events: dict[str, Published] = field(default_factory=dict)
    kept_events: set[str] = field(default_factory=set)
    """Ids that inboxes or messages name and that some outbox has."""
    retained: bool = True
    """Whether the outboxes still have the day."""
    messages: list[StoredMessage] = field(default_factory=list)
    consumed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Service → names of events it consumes."""
    heard: dict[str, set[str]] = field(default_factory=dict)
    """Service → ids of the day's events in its inbox."""
    heard_then: dict[str, set[str]] = field(default_factory=dict)
    """Service → ids that its inbox took in on this day."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What two services do not agree on, and of which ids."""

    kind: str
    county: str
    type_code: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison of two ledgers: how many ids each has, and the SHA-256 of them in order."""

    ledgers: tuple[str, str]
    county: str
    type_code: str
    counts: tuple[int, int]
    digests: tuple[str, str]

    @property
    def equal(self) -> bool:
        """Whether both say the same."""
        return self.digests[0] == self.digests[1]


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a day."""

    window: Window
    lines: tuple[Line, ...]
    differences: tuple[Difference, ...]
    opened_documents: int
