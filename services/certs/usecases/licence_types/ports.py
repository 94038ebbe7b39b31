"""What the use cases of licence types need from the outside: the published versions, the stored faces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.certs.domain.licence_type import LicenceType
from services.certs.domain.status import LicenceStatus


@dataclass(frozen=True, slots=True)
class PublishedType:
    """A published version: never changed, only followed by the next one."""

    kind: LicenceType
    published_at: datetime
    published_by: str
    """The peer, e.g. ``operator/ops``."""
    source: str


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A stored licence as far as a change of its type may concern it."""

    type_code: str
    status: LicenceStatus
    face: Mapping[str, str] = field(repr=False)


class TypeRecords(Protocol):
    """The published types within one open transaction."""

    async def all(self) -> list[PublishedType]:
        """Return every version of every type, by code and version. Raises ROW_ALTERED."""

    async def lock(self) -> None:
        """Let nobody else publish until the transaction ends."""

    async def add(self, published: PublishedType) -> None:
        """Store a new version."""

    async def count_licences(self) -> int:
        """Return about how many licences are stored, for a progress bar."""

    async def faces(
        self, after: str, limit: int, type_codes: Sequence[str]
    ) -> tuple[list[StoredFace], str, int]:
        """Return a batch of the walk over all licences, in the order of their ids, which is that of time.

        That is: those of the types, where the next batch starts (empty at the end), and how many were
        walked.
        """

    def first_of(self, moment: datetime) -> str:
        """Return where a walk starts that passes over what was there before a moment."""


OpenRecords = Callable[[], AbstractAsyncContextManager[TypeRecords]]
"""Opens a transaction; it commits at the end of the block."""
