"""Delete what is past its time, in bounded steps, each recorded with how much went (PIPL 47, 网络安全法).

A step that was broken off is done by the next run; running again deletes nothing twice. Bytes of files go
after the commit that forgot them: a crash in between leaves a file that the next pass finds again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

BATCH_ROWS = 500
Place = tuple[datetime, str, int]
"""Of a change in the feeds: when, department, revision."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept, and how often it is looked after."""

    sessions: timedelta
    contact_reads: timedelta
    replaced_changes: timedelta
    drafts: timedelta
    entrustments: timedelta
    """After their end, or after they were taken back."""
    abandoned_files: timedelta
    every: timedelta


class Retained(Protocol):
    """One open transaction over everything that is deleted in time."""

    def now(self) -> datetime:
        """Return the present, aware, UTC."""
        ...

    async def take_turn(self, turn: str, every: timedelta) -> bool:
        """Say whether it is time again, for one caller of all processes."""
        ...

    async def delete_sessions(self, before: datetime, limit: int) -> int:
        """Delete sessions whose time was over before a moment; return how many."""
        ...

    async def delete_contact_reads(self, before: datetime, limit: int) -> int:
        """Delete records of contact readings from before a moment; return how many."""
        ...

    async def delete_drafts(self, before: datetime, limit: int) -> int:
        """Delete drafts last touched before a moment, with all their rows; return how many."""
        ...

    async def delete_entrustments(self, before: datetime, limit: int) -> int:
        """Delete entrustments that were over before a moment, with whose they were; return how many."""
        ...

    async def delete_replaced_changes(
        self, before: datetime, after: Place | None, limit: int
    ) -> tuple[int, Place | None]:
        """Look at some changes from before a moment, delete those that newer ones of their part replaced.

        Return how many went and where to go on, None at the end.
        """
        ...

    async def files_of_cases(self, after: str, limit: int) -> tuple[set[str], str | None]:
        """Return the ids of files that some cases refer to, and where to go on, None at the end."""
        ...

    async def unreferenced_since(self) -> dict[str, datetime]:
        """Return the files known to belong to no case, and since when."""
        ...

    async def note_unreferenced(self, file_ids: Sequence[str], *, gone: Sequence[str] = ()) -> None:
        """Note files that belong to no case, and forget others."""
        ...

    async def record(self, what: str, past: datetime, deleted: int) -> None:
        """Record a deletion. Raises AUDIT_UNWRITABLE."""
        ...


class StoredFiles(Protocol):
    """The store of uploads and packages."""

    def keys(self) -> Iterator[str]:
        """Yield the id of every file; blocks."""
        ...

    async def remove(self, key: str) -> None:
        """Have the bytes gone; twice is once."""
        ...


OpenRetained = Callable[[], AbstractAsyncContextManager[Retained]]
_Delete = Callable[[Retained, datetime, int], Awaitable[int]]


async def forget_rows(open_work: OpenRetained, keep: Retention, *, limit: int = BATCH_ROWS) -> dict[str, int]:
    """Delete sessions, contact readings, drafts, entrustments and replaced changes past their time; return how many of each.

    Nothing when another process had the turn. Raises PEER_UNAVAILABLE, AUDIT_UNWRITABLE.
    """
    async with open_work() as work:
        now = work.now()
        if not await work.take_turn("rows", keep.every):
            return {}
    deletes: tuple[tuple[str, timedelta, _Delete], ...] = (
        ("sessions", keep.sessions, lambda work, before, most: work.delete_sessions(before, most)),
        (
            "contact_reads",
            keep.contact_reads,
            lambda work, before, most: work.delete_contact_reads(before, most),
        ),
        ("drafts", keep.drafts, lambda work, before, most: work.delete_drafts(before, most)),
        (
            "entrustments",
            keep.entrustments,
            lambda work, before, most: work.delete_entrustments(before, most),
        ),
    )
    done = {
        what: await _delete_all(open_work, what, now - kept, delete, limit) for what, kept, delete in deletes
    }
    return done | {"replaced_changes": await _delete_changes(open_work, now - keep.replaced_changes, limit)}


async def forget_files(
    open_work: OpenRetained, files: StoredFiles, keep: Retention, *, limit: int = BATCH_ROWS
) -> dict[str, int]:
    """Remove files that no case has referred to for long enough; return how many.

    What a pass finds unreferenced is noted only; a later pass that finds it so again, past its time,
    removes it. An unreadable case ends the pass: nothing is removed on half the knowledge.
    """
    async with open_work() as work:
        before = work.now() - keep.abandoned_files
        if not await work.take_turn("files", keep.every):
            return {}
    loose = await _unreferenced(open_work, files, limit)
    async with open_work() as work:
        known = await work.unreferenced_since()
    over = sorted(key for key in loose if key in known and known[key] <= before)
    fresh = sorted(loose - known.keys())
    await _forget_notes(open_work, fresh, sorted(known.keys() - loose), limit)
    for start in range(0, len(over), limit):
        gone = over[start : start + limit]
        async with open_work() as work:
            await work.note_unreferenced([], gone=gone)
            await work.record("abandoned_files", before, len(gone))
        for key in gone:
            await files.remove(key)
    return {"abandoned_files": len(over)}


async def _delete_all(
    open_work: OpenRetained, what: str, before: datetime, delete: _Delete, limit: int
) -> int:
    deleted, count = 0, limit
    while count == limit:
        async with open_work() as work:
            count = await delete(work, before, limit)
            if count:
                await work.record(what, before, count)
        deleted += count
    return deleted


async def _delete_changes(open_work: OpenRetained, before: datetime, limit: int) -> int:
    deleted, after = 0, None
    while True:
        async with open_work() as work:
            count, after = await work.delete_replaced_changes(before, after, limit)
            if count:
                await work.record("replaced_changes", before, count)
        deleted += count
        if after is None:
            return deleted


async def _unreferenced(open_work: OpenRetained, files: StoredFiles, limit: int) -> set[str]:
    """Return the files there are that no case refers to; those stored meanwhile are not among them."""
    loose = await asyncio.to_thread(lambda: set(files.keys()))
    after: str | None = ""
    while after is not None:
        async with open_work() as work:
            referred, after = await work.files_of_cases(after, limit)
        loose -= referred
    return loose


async def _forget_notes(
    open_work: OpenRetained, fresh: Sequence[str], stale: Sequence[str], limit: int
) -> None:
    for start in range(0, max(len(fresh), len(stale)), limit):
        async with open_work() as work:
            await work.note_unreferenced(fresh[start : start + limit], gone=stale[start : start + limit])
