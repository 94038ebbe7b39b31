"""Read seals, their state at a moment, their uses and the sealed documents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.errors import Kind, declare
from services.seal.domain.ledger import Digest, Head, SealUse, follow
from services.seal.domain.register import (
    SEAL_NOT_FOUND,
    SEAL_NOT_YET_MADE,
    HistoryEntry,
    RegisteredSeal,
    state_at,
)
from services.seal.usecases.ports import Work
from services.seal.usecases.using_ports import StoredDocument, WantedUses

DEFAULT_PAGE, LARGEST_PAGE = 50, 200
_AT_ONCE = 1_000
SIGNATURE_NOT_FOUND = declare("SIGNATURE_NOT_FOUND", Kind.NOT_FOUND, "签章记录不存在", "No such signature")


async def list_seals(
    work: Work, owner_code: str | None, page_size: int, page_token: str
) -> tuple[Sequence[RegisteredSeal], str]:
    """Return seals by id, of one owner or of all, and the token of the next page."""
    limit = page_limit(page_size)
    found = await work.seals.page(owner_code, page_token, limit + 1)
    return found[:limit], found[limit - 1].seal_id if len(found) > limit else ""


async def status_at(work: Work, seal_id: str, at: datetime | None) -> HistoryEntry:
    """Return the state that counted at a moment, or the newest one. Raises SEAL_NOT_FOUND, SEAL_NOT_YET_MADE."""
    history = await work.seals.history(seal_id)
    if not history:
        raise SEAL_NOT_FOUND()
    entry = state_at(history, at) if at else history[-1]
    if entry is None:
        raise SEAL_NOT_YET_MADE()
    return entry


async def sealed_document(work: Work, signature_id: str) -> StoredDocument:
    """Return a sealed document. Raises SIGNATURE_NOT_FOUND."""
    document = await work.ledger.document(signature_id)
    if document is None:
        raise SIGNATURE_NOT_FOUND()
    return document


async def list_uses(
    work: Work, wanted: WantedUses, page_size: int, before: int | None
) -> tuple[Sequence[SealUse], str]:
    """Return uses, newest first, and the token of the next page. Raises SEAL_NOT_FOUND for another's seal."""
    if wanted.seal_id:
        await own_seal(work, wanted.seal_id, wanted.owner_code)
    limit = page_limit(page_size)
    found = await work.ledger.page(wanted, before, limit + 1)
    return found[:limit], str(found[limit - 1].sequence) if len(found) > limit else ""


async def uses_of(work: Work, signature_id: str, owner_code: str | None) -> Sequence[SealUse]:
    """Return every attempt at one sealing, oldest first. Raises SIGNATURE_NOT_FOUND for none, or another's."""
    found = await work.ledger.of_signature(signature_id)
    if not found or owner_code not in {None, found[-1].entry.issuer_code}:
        raise SIGNATURE_NOT_FOUND()
    return found


async def own_seal(work: Work, seal_id: str, owner_code: str | None, *, lock: bool = False) -> RegisteredSeal:
    """Return a seal, of one owner if one is named. Raises SEAL_NOT_FOUND, for another's seal as well."""
    seal = await work.seals.get(seal_id, lock=lock)
    if seal is None or owner_code not in {None, seal.owner_code}:
        raise SEAL_NOT_FOUND()
    return seal


async def check_ledger(work: Work, digest: Digest) -> int | None:
    """Return the number of the first row of the ledger that does not fit, None if the whole chain holds.

    Rows appended meanwhile are left to the next check; a cut end is named by its first missing row.
    """
    end, reached = await work.ledger.head(), Head()
    while reached.sequence < end.sequence:
        part = await work.ledger.after(reached.sequence, min(_AT_ONCE, end.sequence - reached.sequence))
        reached, broken = follow(reached, part, digest)
        if broken or not part:
            return broken or reached.sequence + 1
    return None if reached == end else end.sequence


def page_limit(page_size: int) -> int:
    """Return how many rows a page of the size that was asked for has."""
    return min(page_size or DEFAULT_PAGE, LARGEST_PAGE)
