"""Intake in memory: the port ``Work`` and what else its use cases ask for."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from chassis.db import Database, Transaction
from chassis.errors import ETAG_MISMATCH
from chassis.event import Event
from services.intake.domain.cases.applicant import Applicant
from services.intake.domain.cases.case import Case
from services.intake.domain.entrustment import Entrustment
from services.intake.store.work import Bell
from services.intake.usecases.cases.ports import ArchiveRecord, PartChange, TimelineEntry
from tests.simulator.database.engine import Session
from tests.simulator.services.stores import Store


class Cases(Store):
    """Implements the port Cases, as far as this choreography goes."""

    async def add(self, case: Case) -> None:
        await self.keep("case", case.case_id, copied(case))
        for part in case.parts:
            await self.keep("case_of_part", part.part_id, case.case_id)

    async def load(self, case_id: str, *, lock: bool = False) -> Case | None:
        found = await self.kept("case", case_id, lock=lock)
        return copied(found) if found else None

    async def load_by_part(self, part_id: str, *, lock: bool = False) -> Case | None:
        case_id = await self.kept("case_of_part", part_id)
        return await self.load(case_id, lock=lock) if case_id else None

    async def save(self, case: Case) -> None:
        before = case.version - len(case.happened)

        async def write(session: Session) -> bool:
            await session.lock("case", case.case_id)
            row = session.get("case", case.case_id)
            if row is None or row["kept"].version != before:
                return False
            return await session.update("case", case.case_id, kept=copied(case))

        if not await self.step(write, "save", case.case_id):
            raise ETAG_MISMATCH()

    async def next_sequence(self, prefix: str, day: date) -> int:
        return await self.count_up("case_sequence", (prefix, day))


class Feed(Store):
    """Implements the port Feed."""

    def __init__(self, tx: Transaction) -> None:
        super().__init__(tx)
        self.touched: set[str] = set()

    async def append(self, changes: Sequence[PartChange]) -> None:
        for department in sorted({each.department_code for each in changes}):
            own = [each for each in changes if each.department_code == department]
            last = await self.count_up("department_feed", department, len(own))
            for revision, change in enumerate(own, start=last - len(own) + 1):
                await self.keep("part_change", (department, revision), replace(change, revision=revision))
            self.touched.add(department)

    async def read(self, department_code: str, after: int, limit: int) -> Sequence[PartChange]:
        found = [
            kept
            for key, kept in await self.everything("part_change")
            if key[0] == department_code and key[1] > after
        ]
        return sorted(found, key=lambda change: change.revision)[:limit]

    async def head(self, department_code: str) -> int:
        return await self.kept("department_feed", department_code) or 0


class Timeline(Store):
    """Implements the port Timeline."""

    async def add(self, entries: Sequence[TimelineEntry]) -> None:
        for entry in entries:
            if await self.kept("case", entry.case_id) is not None:
                await self.keep_new("timeline", entry, entry)

    async def of_case(self, case_id: str) -> Sequence[TimelineEntry]:
        found = [kept for _, kept in await self.everything("timeline") if kept.case_id == case_id]
        return sorted(found, key=lambda each: (each.at, each.service, each.what, each.reference))


class Archive(Store):
    """Implements the port Archive; a second package of a case is an error, as its primary key is."""

    async def add(self, record: ArchiveRecord) -> None:
        if not await self.keep_new("archive", record.case_id, record):
            raise ValueError("a case has one package")

    async def of_case(self, case_id: str) -> ArchiveRecord | None:
        return await self.kept("archive", case_id)  # type: ignore[no-any-return]


class Persons:
    """Implements the port Persons: everybody is known."""

    def __init__(self, known: dict[str, Applicant]) -> None:
        self._known = known

    async def load(self, person_id: str) -> Applicant | None:
        return self._known.get(person_id)

    async def represents(self, person_id: str, uscc: str) -> bool:
        del uscc
        return person_id in self._known

    async def entrustment(self, entrustment_id: str) -> Entrustment | None:
        del entrustment_id  # nobody entrusts anybody here
        return None

    async def entrusted_to_apply(self, agent: Applicant, now: datetime, limit: int) -> Sequence[str]:
        del agent, now, limit
        return ()


class MemoryWork:
    """Implements the port Work on one transaction."""

    def __init__(self, tx: Transaction, known: dict[str, Applicant]) -> None:
        self.tx = tx
        self.cases, self.feed, self.timeline = Cases(tx), Feed(tx), Timeline(tx)
        self.archive, self.persons = Archive(tx), Persons(known)

    def now(self) -> datetime:
        return self.tx.now()

    def publish(self, event: Event, version: int) -> None:
        self.tx.publish(event, version)

    async def unsent_events(self, limit: int) -> int:
        del limit
        return 0


class MemoryWorks:
    """Opens transactions for the use cases; the real bell wakes the watchers of this process."""

    def __init__(self, db: Database, known: dict[str, Applicant]) -> None:
        self._db, self._known = db, known
        self.bell = Bell()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Any]:
        async with self._db.transaction() as tx:
            yield self.within(tx)

    def within(self, tx: Transaction) -> Any:
        work = MemoryWork(tx, self._known)
        tx.after_commit(lambda: self.bell.ring(sorted(work.feed.touched)))
        return work


class MemoryFiles:
    """Implements the ports Files and Documents: by content, never deleted, so a crash leaves nothing half."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, data: bytes) -> str:
        key = hashlib.sha256(data).hexdigest()
        self.kept[key] = data
        return key

    async def get(self, key: str) -> bytes:
        return self.kept[key]


def copied(case: Case) -> Case:
    """Return a case that can be changed without changing this one."""
    return replace(
        case,
        parts=[replace(part) for part in case.parts],
        form=dict(case.form),
        supplies=dict(case.supplies),
        staged_form=dict(case.staged_form),
        staged_supplies=dict(case.staged_supplies),
        part_form={key: dict(each) for key, each in case.part_form.items()},
        part_supplies={key: dict(each) for key, each in case.part_supplies.items()},
        happened=[],
    )
