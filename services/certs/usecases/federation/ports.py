"""What federation needs from the outside: signatures, the two sides of the replica's tables, the other registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from chassis.event import Event
from services.certs.domain.federation import (
    Heartbeat,
    LeafProof,
    LicenceMessage,
    Message,
    PeerRegistry,
    Refusal,
    ReplicaLicence,
    ReplicaState,
)
from services.certs.domain.licence import Licence
from services.certs.domain.purpose import Purpose
from services.certs.domain.usage import Reader, Usage


class Envelopes(Protocol):
    """Signs and seals as this registry; verifies and opens what is for it."""

    def sign(self, message: Message) -> str:
        """Return the signed message."""

    def issuer_of(self, signed: str) -> str:
        """Return whom a message claims to be of; nothing is proved yet. Empty for what cannot be read."""

    def verify(self, signed: str, peer: PeerRegistry) -> Message:
        """Return what a peer signed. Raises SIGNATURE_WRONG, MESSAGE_MALFORMED."""

    def seal(self, content: bytes, peer: PeerRegistry) -> str:
        """Return content that only the peer can open."""

    def open(self, sealed: str) -> bytes:
        """Return content sealed for us. Raises CONTENT_UNREADABLE."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a licence of ours stands, by the newest leaf about it."""

    licence: Licence
    act: str
    use_frozen: bool
    effective_at: datetime
    recorded_at: datetime
    leaf_index: int
    leaf_hash: bytes
    leaf: bytes = b""


@dataclass(frozen=True, slots=True)
class Place:
    """How far the stream to one registry is."""

    ordinal: int = 0
    beat: int = 0
    beat_size: int = 0
    beat_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """One licence message of a stream: its numbers; no licence's where only its place in the stream is left."""

    licence_id: str
    ordinal: int
    sequence: int
    prior_ordinal: int = 0
    newest: bool = True
    """Whether nothing later was sent about the licence."""


Shares = frozenset[tuple[str, str]]
"""Registry and type code of everything that is told."""


class Outgoing(Protocol):
    """What is told to others, within one open transaction."""

    async def hold(self) -> int | None:
        """Return the index of the first leaf not told yet and hold the streams; None while another does."""

    async def advance(self, leaf_index: int) -> None:
        """Note how far the log was told."""

    async def skip(self) -> int:
        """Count the whole log as told, and return its size."""

    async def shares(self) -> Shares:
        """Return what is told at present."""

    async def shared_since(self, registry_id: str) -> dict[str, datetime]:
        """Return since when a registry is told of each type."""

    async def keep_shares(self, added: Shares, dropped: Shares, now: datetime) -> None:
        """Begin to tell, and tell no more."""

    async def changed(self, leaf_index: int, limit: int) -> tuple[list[str], int]:
        """Return the licences that leaves from an index on are about, each once, and the index after them."""

    async def unsent(self, limit: int) -> tuple[str, list[str]] | None:
        """Return a registry and licences it has not been told of since their type is shared, and note them told."""

    async def is_backfilling(self, registry_id: str) -> bool:
        """Say whether a registry has still to be told of licences from before."""

    async def standings(self, licence_ids: Sequence[str]) -> list[Standing]:
        """Return where licences stand."""

    async def place(self, registry_id: str) -> Place:
        """Return how far the stream to a registry is."""

    async def prior(self, registry_id: str, licence_ids: Sequence[str]) -> dict[str, Sent]:
        """Return what a registry was told last about licences."""

    async def record(self, registry_id: str, sent: Sequence[Sent], now: datetime) -> None:
        """Store the numbers of messages; the stream's ordinal is then the last one's."""

    async def record_beat(self, registry_id: str, place: Place) -> None:
        """Store a heartbeat's numbers."""

    async def sent_after(self, registry_id: str, ordinal: int, limit: int) -> list[Sent]:
        """Return the numbers of the messages after an ordinal, in order; forgotten ones keep their place."""

    async def recipients(self) -> list[str]:
        """Return every registry that was ever told anything."""

    async def forget_overtaken(self, registry_id: str, after: int, before: datetime, rows: int) -> int | None:
        """Look at the next rows after an ordinal and forget the overtaken ones; return the last, None at the end."""

    async def complete_until(self, leaf_index: int, now: datetime) -> datetime:
        """Return the time up to which every change was told, if the leaves before an index were."""

    async def recorded(self, usage_ids: Sequence[str]) -> set[str]:
        """Return those of these uses that are recorded here."""

    def publish(self, event: Event, version: int) -> None:
        """Have an event leave with the transaction."""


class Proofs(Protocol):
    """What proves that the states of a replica are in their registry's log."""

    async def keep(self, message: LicenceMessage, proof: LeafProof, now: datetime, *, proved: bool) -> None:
        """Store where the proof of a licence's newest message leads; an unproved state stays so since its first."""

    async def is_waiting(self, message: LicenceMessage) -> bool:
        """Say whether the message of this number is a licence's newest, without a proof, and of no later leaf."""

    async def keep_root(self, registry_id: str, size: int, root: bytes) -> None:
        """Store the root that a registry's log had at a size; the oldest of many are forgotten."""

    async def root_at(self, registry_id: str, size: int) -> bytes | None:
        """Return the root that a registry's log had at a size, None for one that is not known."""

    async def settle(self, registry_id: str, size: int, root: bytes, now: datetime) -> str:
        """Count as proved what waits for this root; return what contradicts it, empty when nothing does."""

    async def ask_from(self, registry_id: str, now: datetime) -> int | None:
        """Return the ordinal of a message whose proof is to be asked for, None when there is none."""

    async def put_off(
        self, registry_id: str, ordinal: int, messages: int, now: datetime, until: datetime
    ) -> None:
        """Ask again no sooner than then for the proofs that were due among so many messages from an ordinal on."""

    async def overdue(self, registry_id: str, before: datetime) -> int:
        """Return how many states are unproved since before a time, at most a hundred thousand."""


class Replica(Protocol):
    """What others told us, within one open transaction."""

    @property
    def proofs(self) -> Proofs:
        """What proves it."""

    async def lock_state(self, registry_id: str) -> ReplicaState:
        """Return how far the replica of a registry is and hold it until the transaction ends."""

    async def state(self, registry_id: str) -> ReplicaState | None:
        """Return how far the replica of a registry is; None when nothing ever came."""

    async def save_state(self, state: ReplicaState) -> None:
        """Store it."""

    async def take_ordinal(self, registry_id: str, through: int, ordinal: int) -> int | None:
        """Note that a message arrived; return up to where all have. None when it had arrived before."""

    async def is_ours(self, licence_id: str, identifier: str) -> bool:
        """Say whether this registry itself holds a licence of this id or identifier."""

    async def authority_of(self, licence_id: str, identifier: str) -> set[str]:
        """Return the registries that told of a licence of this id or identifier."""

    async def ordinal_of(self, licence_id: str) -> int:
        """Return the ordinal of the newest message about a licence, 0 for none."""

    async def put(self, message: LicenceMessage, licence: Licence, sha256: bytes, now: datetime) -> None:
        """Store what a message says in the place of what earlier ones said."""

    async def erase(self, message: LicenceMessage, sha256: bytes, now: datetime) -> None:
        """Forget what the licence says and whose it was; where it stands is kept."""

    async def find(
        self, registry_id: str, id_type_code: str, id_number: str, type_codes: Sequence[str]
    ) -> list[ReplicaLicence]:
        """Return a holder's licences of a registry, newest issue first."""

    async def refuse(
        self, digest: bytes, issuer: str, licence_id: str, reason: Refusal, now: datetime
    ) -> None:
        """Record that a message was not taken."""

    async def forget(self, registry_id: str) -> None:
        """Forget everything a registry told, so that all of it is taken anew."""

    async def owe(self, uses: Sequence[OwedUse]) -> None:
        """Have uses told to the registry whose licences were used."""

    async def owed(self, registry_id: str, limit: int) -> list[OwedUse]:
        """Return uses that a registry was not told of yet, oldest first."""

    async def paid(self, usage_ids: Sequence[str], now: datetime) -> None:
        """Note that uses were told."""

    async def forget_paid(self, after: UUID, before: datetime, rows: int) -> UUID | None:
        """Look at the next uses after an id and forget those told before a time; return the last, None at the end."""


@dataclass(frozen=True, slots=True)
class OwedUse:
    """A use of another registry's licence, which its issuer is to be told of, once."""

    usage_id: str
    registry_id: str
    licence_id: str
    kind: str
    reader: Reader
    purpose: Purpose
    used_at: datetime


@dataclass(frozen=True, slots=True)
class PeerQuestion:
    """What one registry asks another: whose licences, of which types, for whom, what for."""

    id_type_code: str
    id_number: str
    type_codes: tuple[str, ...]
    reader: Reader
    purpose: Purpose


class Online(Protocol):
    """Other registries, asked directly."""

    async def ask(self, peer: PeerRegistry, question: PeerQuestion) -> list[str]:
        """Return signed messages, one for each licence. Raises PEER_UNAVAILABLE and what it answers."""

    async def since(self, peer: PeerRegistry, ordinal: int, size: int) -> list[str]:
        """Return signed messages after an ordinal, then a heartbeat whose proof leads from a log size."""

    async def tell(self, peer: PeerRegistry, uses: Sequence[OwedUse]) -> None:
        """Tell of uses; what was told before counts once."""


class UseRecord(Protocol):
    """Where uses are recorded."""

    async def add(self, usages: Sequence[Usage]) -> None:
        """Append lines."""


@dataclass(frozen=True, slots=True)
class ReplicaBook:
    """Replica and usage record within one open transaction."""

    replica: Replica
    usages: UseRecord


OpenReplica = Callable[[], AbstractAsyncContextManager[ReplicaBook]]
"""Opens them in a transaction of its own."""

__all__ = [
    "Envelopes",
    "Heartbeat",
    "Online",
    "OpenReplica",
    "Outgoing",
    "OwedUse",
    "PeerQuestion",
    "Place",
    "Proofs",
    "Replica",
    "ReplicaBook",
    "Sent",
    "Shares",
    "Standing",
]
