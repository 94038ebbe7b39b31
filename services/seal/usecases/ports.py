"""What the use cases need from the outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from chassis.event import Event
from services.seal.domain.checkpoints import Checkpoint
from services.seal.domain.companion_list import ListedCompanion
from services.seal.domain.kinds import SealKind
from services.seal.domain.register import HistoryEntry, RegisteredSeal
from services.seal.domain.suite import SigningKey
from services.seal.usecases.application_ports import Applications, Keys
from services.seal.usecases.using_ports import Ledger, Permissions

Tx_contra = TypeVar("Tx_contra", contravariant=True)
"""A transaction as adapters know it; use cases see only its `Work`."""


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority (发证机关) that gets a seal; `code` is its unified social credit code."""

    code: str
    division: str
    name: str
    seal_name: str


@dataclass(frozen=True, slots=True)
class SealCredential:
    """A seal's key and certificate in a further suite."""

    seal_id: str
    suite: str
    key_id: str
    certificate: bytes
    wrapped_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class SealMaterial:
    """What sealing with a seal takes: the seal, its user's certificate and the encrypted private key."""

    seal_id: str
    ses_seal: bytes
    certificate: bytes
    key_id: str
    wrapped_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnsealedDocument:
    """A document that waits for its seal; the seal's box starts at x, y millimetres from the top left of page 1."""

    ofd: bytes = field(repr=False)
    issuer_code: str
    case_id: str
    x_mm: float
    y_mm: float


@dataclass(frozen=True, slots=True)
class IssuedList:
    """A CRL, a list of seal states or one of PDF certificates, as it was signed."""

    number: int
    data: bytes
    issued_at: datetime
    next_update: datetime


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """All that a verifier needs besides the document; own makers by the hex SM3 of their certificates."""

    anchors: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    """Every other certificate that may be needed: of the authorities below the anchors, of makers, of time stamping."""
    crls: tuple[bytes, ...]
    status_list: bytes
    own_makers: tuple[str, ...]
    timestamp_anchors: tuple[bytes, ...] = ()
    """Anchors of time-stamping authorities that are not ours; trusted for time and nothing else."""
    companion_list: bytes = b""
    """Which PDF certificates belong to which seal, signed; empty before the first."""


class Seals(Protocol):
    """The register of one open transaction."""

    async def get(self, seal_id: str, *, lock: bool = False) -> RegisteredSeal | None:
        """Return a seal, locked against others' changes and uses if asked."""
        ...

    async def of_owner(self, owner_code: str, *, lock: bool = False) -> Sequence[RegisteredSeal]:
        """Return an authority's seals, newest first; with `lock` none changes before this transaction ends."""
        ...

    async def page(self, owner_code: str | None, after: str, limit: int) -> Sequence[RegisteredSeal]:
        """Return seals by id, of one owner or of all."""
        ...

    async def material(self, seal_id: str) -> SealMaterial | None:
        """Return what sealing with it takes."""
        ...

    async def count_in(self, division: str) -> int:
        """Return how many seals were ever made for authorities of a division."""
        ...

    async def add(self, seal: RegisteredSeal, entry: HistoryEntry, key_id: str, ses_seal: bytes) -> None:
        """Enter a fresh seal with its first state."""
        ...

    async def add_credential(self, credential: SealCredential) -> None:
        """Enter a seal's companion credential."""
        ...

    async def credential(self, seal_id: str, suite: str) -> SealCredential | None:
        """Return a seal's companion credential in a suite, with its encrypted key."""
        ...

    async def companions(self) -> Mapping[str, ListedCompanion]:
        """Return of every seal with companion credentials what verifiers are told of them."""
        ...

    async def in_use(self, owner_code: str, kind: SealKind, name: str, name_index: bytes) -> bool:
        """Say whether a seal of this owner, kind and name is in use."""
        ...

    async def adopt(self, is_own: Callable[[bytes], bool]) -> int:
        """Sign the rows of seals from before rows were signed, of those whose bytes are the maker's own."""
        ...

    async def changed_since_list(self) -> bool:
        """Say whether a state was entered after the newest status list was signed."""
        ...

    async def save(self, seal: RegisteredSeal, entry: HistoryEntry) -> None:
        """Enter a seal's new state."""
        ...

    async def history(self, seal_id: str) -> Sequence[HistoryEntry]:
        """Return a seal's states in order."""
        ...

    async def histories(self) -> Mapping[str, Sequence[HistoryEntry]]:
        """Return every seal's states in order."""
        ...

    async def ended_certificates(self) -> Mapping[bytes, datetime]:
        """Return the certificates of seals that ended, and since when."""
        ...


class Checkpoints(Protocol):
    """The time-stamped points of the ledger, in one open transaction."""

    async def newest(self) -> Checkpoint | None:
        """Return the last checkpoint. Raises ROW_ALTERED."""
        ...

    async def append(self, checkpoint: Checkpoint) -> bool:
        """Keep a checkpoint; say whether it was kept, or another process was faster."""
        ...

    async def after(self, number: int, limit: int) -> Sequence[Checkpoint]:
        """Return checkpoints in order."""
        ...

    async def oldest_use_after(self, sequence: int) -> tuple[int, datetime] | None:
        """Return number and time of the first use that lies beyond a row of the ledger."""
        ...


class Trust(Protocol):
    """Certificates and signed lists, in one open transaction."""

    async def keep_certificate(self, role: str, fingerprint: str, certificate: bytes) -> None:
        """Keep a certificate under its role: anchor, authority, maker, status, tsa or tsa_anchor."""
        ...

    async def last_number(self, issuer: str) -> int:
        """Return the number of an issuer's newest list, 0 before the first; issuers by fingerprint."""
        ...

    async def keep_list(self, issuer: str, kind: str, issued: IssuedList) -> None:
        """Keep a signed list of kind crl, companion or status."""
        ...

    async def bundle(self, at: datetime) -> TrustBundle:
        """Return the certificates, and of each issuer the newest list of each kind that was issued by a moment."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """One open transaction over everything that seal stores."""

    seals: Seals
    keys: Keys
    ledger: Ledger
    trust: Trust
    checkpoints: Checkpoints
    permissions: Permissions
    applications: Applications
    publish: Callable[[Event, int], None]
    lock_making: Callable[[], Awaitable[None]]
    """Waits until no other maker's job is at work; held until the transaction ends."""


class UnitOfWork(Protocol):
    """Opens one transaction."""

    def __call__(self) -> AbstractAsyncContextManager[Work]:
        """Return the transaction as a context manager; it commits at the end of the block."""
        ...


class WorkOf(Protocol[Tx_contra]):
    """Gives the stores of a transaction that an adapter opened."""

    def __call__(self, tx: Tx_contra, /) -> Work:
        """Return the stores."""
        ...


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh key pair; the private half is encrypted, or a reference to where it stays in a token."""

    public_key: bytes
    wrapped_key: bytes = field(repr=False)


class Signer(Protocol):
    """The only place where private keys of seals are opened; suites by their `Suite.name`. Call it in a thread.

    Everything may raise SIGNER_UNAVAILABLE: nothing was signed, and the same call may succeed in a moment.
    """

    def generate(self, suite: str, key_id: str) -> NewKey:
        """Return a fresh key pair, its private half bound to the id."""
        ...

    def open(self, suite: str, key_id: str, wrapped_key: bytes, public_key: bytes) -> SigningKey:
        """Return the key for use; nothing is asked before it signs.

        Its ``sign`` raises KEYSTORE_UNREADABLE, and SIGNER_ANSWER_WRONG where what came back does not verify.
        """
        ...


class Rewrapping(Protocol):
    """Encrypts private keys anew during a rotation. Call it in a thread."""

    def rewrap(self, key_id: str, wrapped_key: bytes) -> bytes:
        """Return the key under the newest secret, unchanged where it is already.

        Raises KEYSTORE_UNREADABLE for a key that nothing opens, SIGNER_UNAVAILABLE.
        """
        ...


class Timestamper(Protocol):
    """Has values stamped by a time-stamping authority (RFC 3161), with the digest of one suite. Call it in a thread."""

    def token(self, stamped: bytes) -> bytes:
        """Return a token over the value, checked in full.

        Raises TIMESTAMP_UNAVAILABLE while no authority answers, TIMESTAMP_WRONG where none of the answers holds.
        """
        ...


class Documents(Protocol):
    """Documents that wait for a seal; asked of certs."""

    async def unsealed(self, licence_id: str) -> UnsealedDocument:
        """Return the document of a licence. Raises what certs answers, or PEER_UNAVAILABLE."""
        ...

    async def unsealed_pdf(self, licence_id: str) -> UnsealedDocument:
        """Return the PDF companion of a licence. Raises what certs answers, or PEER_UNAVAILABLE."""
        ...
