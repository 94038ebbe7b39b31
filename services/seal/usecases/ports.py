"""What the use cases need from the outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from chassis.event import Event
from services.seal.domain.ledger import Head, SealUse, UseEntry
from services.seal.domain.register import HistoryEntry, RegisteredSeal

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
class KeyRequest:
    """A key pair made by the signing side for an authority; `proof` shows that it holds the private half."""

    key_id: str
    owner_code: str
    public_key: bytes
    proof: bytes


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
class StoredDocument:
    """A sealed document as it left; `sha256` in hex."""

    signature_id: str
    seal_id: str
    ofd: bytes = field(repr=False)
    sha256: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedList:
    """A CRL or seal-status list as it was signed."""

    number: int
    data: bytes
    issued_at: datetime
    next_update: datetime


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """All that a verifier needs besides the document; own makers by the hex SM3 of their certificates."""

    anchors: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    """Every other certificate that may be needed: of the authorities below the anchors and of makers."""
    crls: tuple[bytes, ...]
    status_list: bytes
    own_makers: tuple[str, ...]


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


class Keys(Protocol):
    """The signing side's keystore, in one open transaction."""

    async def open_request(self, owner_code: str) -> KeyRequest | None:
        """Return the authority's key that no seal uses yet."""
        ...

    async def add(self, request: KeyRequest, wrapped_key: bytes, created_at: datetime) -> None:
        """Keep a key; its private half comes encrypted."""
        ...


class Ledger(Protocol):
    """The ledger of uses, in one open transaction."""

    async def head(self, *, lock: bool = False) -> Head:
        """Return the end of the chain; with `lock` nobody else appends before this transaction ends."""
        ...

    async def sealed(self, licence_id: str) -> bool:
        """Say whether the licence's document carries its seal already."""
        ...

    async def attempts(self, signature_id: str) -> int:
        """Return how many rows there are of one sealing."""
        ...

    async def append(self, use: SealUse) -> None:
        """Append a row and move the head."""
        ...

    async def keep_document(self, document: StoredDocument) -> None:
        """Keep the sealed bytes, encrypted."""
        ...

    async def document(self, signature_id: str) -> StoredDocument | None:
        """Return a sealed document."""
        ...

    async def page(
        self, seal_id: str, owner_code: str | None, before: int | None, limit: int
    ) -> Sequence[SealUse]:
        """Return uses, newest first: of one seal or, with an empty id, of all of one owner or of everybody."""
        ...

    async def after(self, sequence: int, limit: int) -> Sequence[SealUse]:
        """Return rows in order, for checking the chain."""
        ...

    async def curable(self, outcomes: Sequence[str], at: datetime, limit: int) -> Sequence[UseEntry]:
        """Return last refusals with one of these outcomes whose issuer has a usable seal at a moment."""
        ...

    async def recorded_at(self, signature_sm3: str) -> datetime | None:
        """Return when the ledger recorded a signature of this digest."""
        ...


class Trust(Protocol):
    """Certificates and signed lists, in one open transaction."""

    async def keep_certificate(self, role: str, fingerprint: str, certificate: bytes) -> None:
        """Keep a certificate under its role: anchor, authority, maker or status."""
        ...

    async def last_number(self, issuer: str) -> int:
        """Return the number of an issuer's newest list, 0 before the first; issuers by fingerprint."""
        ...

    async def keep_list(self, issuer: str, kind: str, issued: IssuedList) -> None:
        """Keep a signed list of kind crl or status."""
        ...

    async def bundle(self, at: datetime) -> TrustBundle:
        """Return the certificates, and of each issuer the newest list that was issued by a moment."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """One open transaction over everything that seal stores."""

    seals: Seals
    keys: Keys
    ledger: Ledger
    trust: Trust
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


class Keystore(Protocol):
    """Encrypts private keys at rest."""

    def wrap(self, key_id: str, private_key: bytes) -> bytes:
        """Return the encrypted key, bound to its id."""
        ...

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """Return the private key. Raises KEYSTORE_UNREADABLE."""
        ...


class Documents(Protocol):
    """Documents that wait for a seal; asked of certs."""

    async def unsealed(self, licence_id: str) -> UnsealedDocument:
        """Return the document of a licence. Raises what certs answers, or PEER_UNAVAILABLE."""
        ...
