"""Simulation 1: writers, outbox, relay, bus, inbox, handlers and an operator. Only the handlers' effects are invented."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any

import asyncpg

from chassis.bus.port import NewRecord
from chassis.db import Database, Transaction
from chassis.errors import PEER_UNAVAILABLE, Fault
from chassis.event import Envelope
from chassis.inbox import Handler
from chassis.messaging_metrics import INBOX_GAPS
from events.intake import PartClaimed
from tests.simulator.database.engine import Session
from tests.simulator.stage import Stage
from tests.simulator.world import Process, current

PRODUCER, CONSUMER = "intake", "notify"
TOPIC = PartClaimed.TOPIC
FINE, BUG, DEADLY, OUTAGE = "fine", "bug", "deadly", "outage"
"""What applying an event does: work; fail until the bug is mended; end the process; fail for a peer's sake."""
OUTAGE_TIMES = 4
STRANGE_KEY = "case-of-a-stranger"
"""Its events come from no outbox: a gap, then a version older than seen."""


class RolledBackError(Exception):
    """The command changed its mind."""


class Messaging(Stage):
    """One run: what the writers were told, and the fates of events whose handlers fail."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        chance = self.world.chance
        self.keys = [f"case-{number}" for number in range(chance.choice((2, 4, 8)))]
        self.ordered = chance.random() < 0.7
        self.prepares = chance.random() < 0.5
        self.committed: set[str] = set()
        self.rolled_back: set[str] = set()
        self.tries: Counter[str] = Counter()
        self.gaps_told = 0.0
        self.injected: list[str] = []
        self._nonces = 0

    async def play(self) -> None:
        """Perform the run."""
        await self.bus.create_topics([TOPIC], 2)
        self.bus.groups[CONSUMER].topics = (TOPIC,)
        gaps_before = _gaps()
        for number in range(self.world.chance.choice((1, 2))):
            self.start(f"producer-{number}", self._producer)
        for number in range(self.world.chance.choice((1, 2, 3))):
            self.start(f"consumer-{number}", self._consumer)
        writers = Process(self.world, "writers", mortal=False)
        writing = [writers.spawn(self._write(6)) for _ in range(3)]
        for number in range(self.world.chance.choice((0, 1, 2))):
            self.start(f"operator-{number}", lambda _: [self.keep_operating(CONSUMER)])
        seconds = self.world.chance.uniform(4, 12)
        if self.world.chance.random() < 0.3:  # the bugs are mended while everything else still breaks
            self.world.loop.call_later(seconds / 3, self._mend)
        await self.break_things(seconds)
        await asyncio.wait(writing)
        if not await self.until(self.at_rest, "events wait or are unread"):
            return
        self.mended = True
        await self._operate_to_the_end()
        self._inject_a_gap()
        await self.until(self.at_rest, "the stranger's events are unread")
        self.gaps_told = _gaps() - gaps_before if self.ordered else 0.0

    def _mend(self) -> None:
        self.mended = True
        self.world.note("MENDED")

    def handlers_of(self, service: str) -> list[Handler[Any, Any]]:
        """Return the handlers of the consumer."""
        del service
        prepare = self._prepare if self.prepares else None
        return [Handler(PartClaimed, self._apply, prepare, ordered=self.ordered)]

    def poison(self) -> None:
        """Append a record of a living key that cannot be read."""
        chance = self.world.chance
        key = chance.choice(self.keys)
        envelope = self.envelope(PartClaimed.TYPE, key, 1)
        headers = tuple(envelope.headers())
        body: bytes | None = chance.choice((b"{", b"\xff", None))
        if chance.random() < 0.3:
            headers = (("ce_id", None), *headers[2:])
        else:
            self.injected.append(str(envelope.event_id))
        self.world.note("POISON", key)
        self.bus.write(NewRecord(TOPIC, key.encode(), headers, body))

    def _producer(self, process: Process) -> list[Any]:
        return [self.relay(PRODUCER, self.database(PRODUCER), process.stop)]

    def _consumer(self, process: Process) -> list[Any]:
        return [self.consumer(CONSUMER, self.database(CONSUMER), self.handlers_of(CONSUMER), process.stop)]

    async def _write(self, commands: int) -> None:
        db = self.database(PRODUCER)
        for _ in range(commands):
            await asyncio.sleep(self.world.chance.expovariate(2.0))
            nonces = [self._nonce() for _ in range(self.world.chance.choice((1, 1, 2)))]
            try:
                await self._command(db, self.world.chance.choice(self.keys), nonces)
            except RolledBackError:
                self.rolled_back.update(nonces)
            except Fault:
                self.world.counts["commands_without_answer"] += 1  # done or not: nobody knows
            else:
                self.committed.update(nonces)
            if self.world.chance.random() < 0.05:
                await self._swallow(db)

    async def _swallow(self, db: Database) -> None:
        """Lose the error of a statement within a transaction: its commit must not pass for one."""
        try:
            async with db.transaction() as tx:
                connection: Any = tx.connection
                with contextlib.suppress(asyncpg.DivisionByZeroError):
                    await connection.work(_break, "a statement that fails")
        except (RuntimeError, Fault):
            self.world.counts["swallowed"] += 1
        else:
            self.world.wrong.append("a transaction with a failed statement was told committed")

    async def _command(self, db: Database, key: str, nonces: list[str]) -> None:
        chance = self.world.chance
        async with db.transaction() as tx:
            connection: Any = tx.connection
            last = await connection.work(lambda session: _step_on(session, key, len(nonces)), "step", key)
            for number, nonce in enumerate(nonces, start=1):
                tx.publish(
                    PartClaimed(
                        case_id=key, part_id=nonce, department_code=self._fate(), claimed_at=self.world.now()
                    ),
                    last + number,
                )
            if chance.random() < 0.15:
                raise RolledBackError

    def _fate(self) -> str:
        return self.world.chance.choices((FINE, BUG, DEADLY, OUTAGE), (90, 3, 2, 5))[0]

    def _nonce(self) -> str:
        self._nonces += 1
        return f"nonce-{self._nonces}"

    async def _prepare(self, event: PartClaimed) -> str:
        await self.world.travel("peer", "asked")
        if self.world.hits("peer_fails"):
            raise PEER_UNAVAILABLE(peer="somebody", retry_after_seconds=1.0)
        return event.part_id

    async def _apply(
        self, tx: Transaction, event: PartClaimed, envelope: Envelope, prepared: str | None
    ) -> None:
        if self.prepares and prepared != event.part_id:
            self.world.wrong.append(f"{event.part_id} was applied unprepared")
        self.world.note("apply", event.case_id, envelope.version)
        await tx.connection.work(lambda session: add_effect(session, envelope), "effect")  # type: ignore[attr-defined]
        self.tries[event.part_id] += 1
        if event.department_code == BUG and not self.mended:
            raise ValueError("a bug of the handler")
        if event.department_code == OUTAGE and not self.mended and self.tries[event.part_id] <= OUTAGE_TIMES:
            raise PEER_UNAVAILABLE(peer="somebody", retry_after_seconds=1.0)
        if event.department_code == DEADLY and not self.mended:
            process = current.get()
            assert process is not None
            self.world.counts["deadly_events"] += 1
            process.kill()
            await self.world.travel("never")

    async def _operate_to_the_end(self) -> None:
        operator = self.database(CONSUMER)
        for _ in range(3):  # what was on its way while a key was replayed is parked behind, or not at all
            await self.operate(CONSUMER, operator, self.handlers_of(CONSUMER))
            await self.until(self.at_rest, "after the replay")

    def _inject_a_gap(self) -> None:
        for version in (1, 3, 2):
            event = PartClaimed(
                case_id=STRANGE_KEY,
                part_id=f"strange-{version}",
                department_code=FINE,
                claimed_at=self.world.now(),
            )
            headers = tuple(self.envelope(event.TYPE, STRANGE_KEY, version).headers())
            self.bus.write(NewRecord(TOPIC, STRANGE_KEY.encode(), headers, event.model_dump_json().encode()))


async def _break(session: Session) -> None:
    raise asyncpg.DivisionByZeroError("division by zero")


async def _step_on(session: Session, key: str, steps: int) -> int:
    await session.lock("aggregate", key)
    row = session.get("aggregate", key)
    version = row["version"] if row else 0
    await session.put("aggregate", key, {"version": version + steps})
    return int(version)


async def add_effect(session: Session, envelope: Envelope) -> None:
    """Record that an event had its effect, in the transaction of the effect."""
    number = session.server.next_value("effects")
    row = {
        "event_id": envelope.event_id,
        "type": envelope.type,
        "key": envelope.subject,
        "version": envelope.version,
    }
    await session.put("effects", number, row)


def _gaps() -> float:
    return float(INBOX_GAPS.labels(CONSUMER)._value.get())
