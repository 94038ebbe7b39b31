"""What the use of seals needs from the outside: the ledger with its documents, and who may use which seal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.seal.domain.authorisation import Approval, Grant, LastUse, SealRules, Withdrawal
from services.seal.domain.ledger import Head, SealUse


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A sealed document as it left; `sha256` in hex."""

    signature_id: str
    seal_id: str
    ofd: bytes = field(repr=False)
    sha256: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class WantedUses:
    """Which uses are asked for: of one seal, one owner, one kind of document, one case; empty = any."""

    seal_id: str = ""
    owner_code: str | None = None
    document_type: str = ""
    case_id: str = ""
    refused_only: bool = False


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

    async def sealed_as(self, signature_id: str) -> SealUse | None:
        """Return the row of a sealing that was done, if it was."""
        ...

    async def of_signature(self, signature_id: str) -> Sequence[SealUse]:
        """Return every attempt at one sealing, oldest first."""
        ...

    async def sealed_with(self, signature_sm3: str) -> SealUse | None:
        """Return the row of the signature of this digest."""
        ...

    async def sealed_from(self, document_sha256: str, limit: int) -> Sequence[SealUse]:
        """Return the sealings that a document went into as it was, newest first."""
        ...

    async def digest_of(self, signature_id: str) -> str | None:
        """Return the hex SHA-256 of a sealed document."""
        ...

    async def last_use(self, seal_id: str) -> LastUse | None:
        """Return a seal's newest use; exact while the head is locked."""
        ...

    async def used_at(self, seal_id: str, back: int) -> datetime | None:
        """Return when the use was that lies so many back from now, the newest being 1; None if there are fewer."""
        ...

    async def page(self, wanted: WantedUses, before: int | None, limit: int) -> Sequence[SealUse]:
        """Return uses, newest first."""
        ...

    async def after(self, sequence: int, limit: int) -> Sequence[SealUse]:
        """Return rows in order, for checking the chain."""
        ...

    async def curable(
        self, outcomes: Sequence[str], at: datetime, limit: int, after: int = 0
    ) -> Sequence[SealUse]:
        """Return last refusals of licences with one of these outcomes whose issuer has a usable seal at a moment.

        In order, from beyond a row.
        """
        ...

    async def recorded_at(self, signature_sm3: str) -> datetime | None:
        """Return when the ledger recorded a signature of this digest."""
        ...


class Permissions(Protocol):
    """Grants, rules and approvals, in one open transaction; all of them only grow. Reading may raise ROW_ALTERED."""

    async def grants(self, seal_id: str) -> tuple[Sequence[Grant], Mapping[str, Withdrawal]]:
        """Return a seal's explicit grants, oldest first, and every withdrawal by its grant's id, the implicit one's too."""
        ...

    async def add_grant(self, grant: Grant) -> None:
        """Enter a grant. Raises AUDIT_UNWRITABLE."""
        ...

    async def withdraw(self, seal_id: str, grant_id: str, withdrawal: Withdrawal) -> None:
        """Enter the end of a grant. Raises AUDIT_UNWRITABLE."""
        ...

    async def rules(self, seal_id: str) -> SealRules:
        """Return a seal's present rules."""
        ...

    async def add_rules(self, rules: SealRules) -> None:
        """Enter the next version of a seal's rules. Raises AUDIT_UNWRITABLE."""
        ...

    async def approvals(self, seal_id: str, document_sha256: str) -> Sequence[Approval]:
        """Return the approvals of a document since the seal was last used under it."""
        ...

    async def add_approval(self, approval: Approval) -> None:
        """Enter an approval. Raises AUDIT_UNWRITABLE."""
        ...
