"""One open transaction with everything behind it, and the bell that wakes the departments' watchers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

from chassis.db import Database, Transaction
from chassis.event import Event
from chassis.fields import FieldCipher
from services.intake.store.archive import ArchiveRows
from services.intake.store.case_content import PlanCache
from services.intake.store.case_feeds import FeedRows, TimelineRows
from services.intake.store.cases import CaseRows
from services.intake.store.ratings import RatingRows
from services.intake.usecases.cases.ports import Persons

PersonsIn = Callable[[Transaction], Persons]
"""Gives the persons as seen in a transaction; ``store.identity`` is one."""


class Bell:
    """Wakes whoever waits for changes of a department in this process; other processes are polled for."""

    def __init__(self) -> None:
        self._rings: dict[str, asyncio.Event] = {}

    def listen(self, department_code: str) -> asyncio.Event:
        """Return what the next ring for a department sets; to be taken before the feed is read."""
        return self._rings.setdefault(department_code, asyncio.Event())

    def ring(self, departments: Iterable[str]) -> None:
        """Wake everyone who listens for one of the departments."""
        for department in departments:
            event = self._rings.pop(department, None)
            if event is not None:
                event.set()


class PostgresWork:
    """The port ``Work`` on one transaction of ours."""

    def __init__(self, tx: Transaction, cipher: FieldCipher, plans: PlanCache, persons: PersonsIn) -> None:
        self.tx = tx
        self.cases = CaseRows(tx, cipher, plans)
        self.feed = FeedRows(tx)
        self.timeline = TimelineRows(tx, cipher)
        self.ratings = RatingRows(tx, cipher)
        self.archive = ArchiveRows(tx)
        self.persons = persons(tx)

    def now(self) -> datetime:
        """Return the present, aware, UTC."""
        return self.tx.now()

    def publish(self, event: Event, version: int) -> None:
        """Have an event leave with the commit."""
        self.tx.publish(event, version)

    async def unsent_events(self, limit: int) -> int:
        """Return how many events wait for the bus, counted up to ``limit``."""
        return int(
            await self.tx.fetchval(
                """
                select count(*) from (
                  select from event_log where published_at is null limit $1) as unsent
                """,
                limit,
            )
        )


class Works:
    """Opens transactions for the use cases: ``async with works() as work``."""

    def __init__(self, database: Database, cipher: FieldCipher, persons: PersonsIn) -> None:
        self.database, self._cipher, self._persons = database, cipher, persons
        self._plans = PlanCache()
        self.bell = Bell()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[PostgresWork]:
        """Open a transaction; commit at the end of the block. Raises what `Database.transaction` raises."""
        async with self.database.transaction() as tx:
            yield self.within(tx)

    def within(self, tx: Transaction) -> PostgresWork:
        """Return the work on an open transaction; its commit wakes the watchers of the departments it concerned."""
        work = PostgresWork(tx, self._cipher, self._plans, self._persons)
        tx.after_commit(lambda: self.bell.ring(work.feed.touched))
        return work
