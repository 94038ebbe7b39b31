"""One open transaction with everything behind it, and the bell that wakes the departments' watchers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
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
        self._condition = asyncio.Condition()
        self._rung: dict[str, int] = {}

    def count(self, department_code: str) -> int:
        """Return how often the bell rang for a department; to be taken before reading the feed."""
        return self._rung.get(department_code, 0)

    async def ring(self, departments: set[str]) -> None:
        """Wake those who wait for one of the departments."""
        if departments:
            async with self._condition:
                for department in departments:
                    self._rung[department] = self.count(department) + 1
                self._condition.notify_all()

    async def wait(self, department_code: str, heard: int, timeout_seconds: float) -> None:
        """Return when the bell rang since ``heard``, or after the time."""
        try:
            async with asyncio.timeout(timeout_seconds), self._condition:
                await self._condition.wait_for(lambda: self.count(department_code) != heard)
        except TimeoutError:
            return


class PostgresWork:
    """The port ``Work`` on one transaction of ours."""

    def __init__(self, tx: Transaction, cipher: FieldCipher, plans: PlanCache, persons: PersonsIn) -> None:
        self.tx = tx
        self.cases = CaseRows(tx, cipher, plans)
        self.feed = FeedRows(tx)
        self.timeline = TimelineRows(tx)
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
        """Open a transaction; after its commit the watchers of the departments it concerned are woken."""
        async with self.database.transaction() as tx:
            work = self.within(tx)
            yield work
        await self.bell.ring(work.feed.touched)

    def within(self, tx: Transaction) -> PostgresWork:
        """Return the work on a transaction that someone else opened and commits, e.g. the inbox."""
        return PostgresWork(tx, self._cipher, self._plans, self._persons)
