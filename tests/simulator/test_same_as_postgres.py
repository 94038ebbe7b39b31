"""The database in memory answers as PostgreSQL does: one suite, run against both, with the same results.

The statements are those of the messaging core itself, called through its own functions and, for the relay, by
their names. What differs by nature (clock, ids) is left out of the comparison.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from chassis import dead_letters, inbox, relay, relay_shards, retention
from chassis import inbox_store as store
from chassis.bus.port import Record
from chassis.db import Database
from chassis.delivery import decode
from chassis.errors import Fault
from chassis.inbox import Consumer, Handler
from chassis.messaging_schema import MESSAGING_V1
from chassis.outbox import outbox_writer
from events.intake import PartClaimed
from tests.simulator.database import inbox_statements, outbox_statements
from tests.simulator.database.connection import Connection, open_database
from tests.simulator.database.engine import Server
from tests.simulator.database.statements import known_statements
from tests.simulator.world import START, World
from tests.stacks.postgres import FreshDatabase

pytestmark = [pytest.mark.promise("P3")]

CONSUMER, TOPIC = "notify", "intake.case.v1"
Alone = Callable[[], Awaitable[Any]]
Scenario = Callable[[Database, Alone, random.Random], Awaitable[list[Any]]]
SEEDS = (1, 2, 3)


def event(key: str, nonce: str) -> PartClaimed:
    return PartClaimed(case_id=key, part_id=nonce, department_code="d", claimed_at=START)


def record(key: str, number: int, offset: int) -> Record:
    headers = (("ce_id", str(UUID(int=number)).encode()), ("x", None))
    return Record(TOPIC, 0, offset, key.encode(), headers, b"{", START)


async def outbox_and_relay(db: Database, alone: Alone, chance: random.Random) -> list[Any]:
    """Rows in order, marks, holds, limits of a batch, reopening, the gauges."""
    told: list[Any] = []
    versions: dict[str, int] = {}
    for number in range(12):
        key = chance.choice(("a", "b", "c"))
        step = chance.choice((1, 1, 1, 0))  # 0: the same version again
        try:
            async with db.transaction() as tx:
                tx.publish(event(key, f"n{number}"), versions.get(key, 0) + step or 1)
                if chance.random() < 0.2:
                    raise LookupError  # noqa: TRY301 - the transaction is what is tested
        except (Fault, LookupError) as problem:
            told.append(type(problem).__name__)
        else:
            versions[key] = versions.get(key, 0) + (step or 1)
    connection = await alone()
    rows = await connection.fetch(relay._PENDING, 0, [], 500, 10**6)
    told.append([(row["aggregate_id"], row["attempts"]) for row in rows])
    told.append(len(await connection.fetch(relay._PENDING, 0, [rows[0]["aggregate_id"]], 500, 10**6)))
    told.append(len(await connection.fetch(relay._PENDING, 0, [], 3, 10**6)))
    told.append(len(await connection.fetch(relay._PENDING, 0, [], 500, len(rows[0]["payload"]) + 1)))
    told.append(await connection.execute(relay._MARK, [row["seq"] for row in rows[:3]]))
    told.append(await connection.execute(relay._HOLD, rows[-1]["seq"], "refused", 60.0))
    told.append([dict(row) for row in await connection.fetch(relay._HELD, 0)])
    gauges = await connection.fetchrow(retention._OUTBOX)
    told.append((gauges["pending"], gauges["held"]))
    told.append(await connection.execute(relay._REOPEN, 0, 60.0))
    told.append(len(await connection.fetch(relay._PENDING, 0, [], 500, 10**6)))
    told.append(await connection.execute(retention._EVENT_LOG, 3600.0, 100))
    return told


async def relay_state(db: Database, alone: Alone, chance: random.Random) -> list[Any]:
    """The cluster that is known, and the lock that only one connection holds."""
    del db, chance
    first, second = await alone(), await alone()
    told: list[Any] = [await first.fetchval(relay_shards._KNOWN)]
    lock = "select pg_try_advisory_lock($1, $2)"
    told += [
        await first.fetchval(lock, 7, 0),
        await second.fetchval(lock, 7, 0),
        await second.fetchval(lock, 7, 1),
    ]
    first.terminate()
    for _ in range(100):
        if await second.fetchval(lock, 7, 0):
            break
        await asyncio.sleep(0.02)
    else:
        told.append("the lock outlives its connection")
    async with second.transaction():
        told.append(await second.execute(relay._KNOW_ALL, "one", 2))
    told.append(await second.execute(relay._KNOW_ALL, "two", 3))
    told.append(await second.fetchval("select cluster_id from relay_state where shard = $1", 0))
    told.append(await second.fetchval("select cluster_id from relay_state where shard = $1", 9))
    return told


async def inbox_rows(db: Database, alone: Alone, chance: random.Random) -> list[Any]:
    """Fresh events, versions, attempts, tries of batches, with some transactions rolled back."""
    del alone
    told: list[Any] = []
    for _ in range(30):
        ids = [UUID(int=chance.randrange(12)) for _ in range(chance.randint(1, 4))]
        places = [(TOPIC, chance.choice("abc")) for _ in range(2)]
        batch = [decode(record(key, 1, chance.randrange(2)), {}) for _, key in places]
        try:
            async with db.transaction() as tx:
                match chance.randrange(6):
                    case 0:
                        told.append(sorted(await store.insert_fresh(tx, CONSUMER, ids)))
                    case 1:
                        told.append(sorted(await store.known(tx, CONSUMER, ids)))
                    case 2:
                        await store.save_versions(
                            tx, CONSUMER, {place: chance.randrange(9) for place in places}
                        )
                        told.append(await store.versions(tx, CONSUMER, places))
                    case 3:
                        told.append(await store.count_attempt(tx, CONSUMER, ids[0], chance.choice((1, -1))))
                    case 4:
                        told.append(await store.begin_batch(tx, CONSUMER, batch[:1]))
                    case 5:
                        await store.clear_attempts(tx, CONSUMER, ids[0])
                        await store.forget_batch(tx, CONSUMER, batch)
                if chance.random() < 0.2:
                    raise LookupError  # noqa: TRY301 - the transaction is what is tested
        except LookupError:
            told.append("rolled back")
    return told


async def parking(db: Database, alone: Alone, chance: random.Random) -> list[Any]:
    """Parking, looking, discarding and replaying."""
    del alone
    told: list[Any] = []
    for number in range(8):
        key = chance.choice("ab")
        async with db.transaction() as tx:
            await store.park(
                tx, CONSUMER, decode(record(key, number, number), {}), chance.choice(("x", "y")), 3
            )
            told.append(
                sorted(
                    await store.parked(tx, CONSUMER, [(TOPIC, "a"), (TOPIC, "b"), (TOPIC, "z")], lock=True)
                )
            )
    told.append([key for _, key in await dead_letters.list_keys(db, CONSUMER)])
    told.append([key for _, key in await dead_letters.list_keys(db, CONSUMER, cause="x", limit=1)])

    async def nothing(*_: object) -> None:
        return None

    consumer = Consumer(CONSUMER, db, [Handler(PartClaimed, nothing)], None)  # type: ignore[arg-type]
    for key in "abz":
        letters = await dead_letters.show(db, CONSUMER, key)
        told.append([(each.cause, each.attempts, each.state, each.record().headers) for each in letters])
        told.append(await dead_letters.replay(consumer.inbox, key, actor="o"))
        for letter in letters:
            if chance.random() < 0.7:
                await dead_letters.discard(db, CONSUMER, letter.dead_letter_id, actor="o", reason="r")
                try:
                    await dead_letters.discard(db, CONSUMER, letter.dead_letter_id, actor="o", reason="r")
                except Fault as fault:
                    told.append(fault.code)
        told.append([each.state for each in await dead_letters.show(db, CONSUMER, key)])
    told.append([key for _, key in await dead_letters.list_keys(db, CONSUMER)])
    return told


async def the_rest(db: Database, alone: Alone, chance: random.Random) -> list[Any]:
    """What is cleaned up, what is measured, and which cluster is known."""
    del chance
    told: list[Any] = []
    async with db.transaction() as tx:
        await store.insert_fresh(tx, CONSUMER, [UUID(int=1)])
        await store.count_attempt(tx, CONSUMER, UUID(int=1), 1)
        await store.park(tx, CONSUMER, decode(record("a", 1, 1), {}), "x", 3)
        told.append(await store.parked(tx, CONSUMER, [(TOPIC, "a"), (TOPIC, "b")], lock=False))
        gauges = await tx.fetchrow(inbox_statements.in_function(inbox, "measure"), CONSUMER)
        told.append(gauges["keys"] if gauges else None)
    (letter,) = await dead_letters.show(db, CONSUMER, "a")
    await dead_letters.discard(db, CONSUMER, letter.dead_letter_id, actor="o", reason="r")
    connection = await alone()
    told += [await connection.execute(outbox_statements.NOTE_CLUSTER, 0, name) for name in ("one", "two")]
    told.append(await connection.fetchval("select cluster_id from relay_state where shard = $1", 0))
    for seconds in (3600.0, -3600.0):  # nothing is so old yet; everything is older than in an hour
        for statement in (retention._INBOX, retention._ATTEMPTS, retention._DEAD_LETTERS):
            told.append(await connection.execute(statement, seconds, 10))
    return told


async def two_at_once(db: Database, alone: Alone, chance: random.Random) -> list[Any]:
    """Who comes second waits: for an insert of the same id, for a locked key, and in a circle one is told so."""
    del alone, chance
    told: list[Any] = []
    one, two = UUID(int=1), UUID(int=2)

    async def insert(first: UUID, second: UUID, pause: float, *, fail: bool = False) -> None:
        try:
            async with db.transaction() as tx:
                fresh = await store.insert_fresh(tx, CONSUMER, [first])
                await asyncio.sleep(pause)
                fresh |= await store.insert_fresh(tx, CONSUMER, [second])
                if fail:
                    raise LookupError  # noqa: TRY301 - the transaction is what is tested
            told.append(sorted(fresh))
        except (LookupError, Fault) as problem:
            told.append(type(problem).__name__)

    async def later(work: Awaitable[None]) -> None:
        await asyncio.sleep(0.1)
        await work

    three, four = UUID(int=3), UUID(int=4)
    for first, second in (
        (insert(one, one, 0.3, fail=True), insert(one, one, 0.0)),
        (insert(two, two, 0.3), insert(two, two, 0.0)),
        (insert(three, four, 0.4), insert(four, three, 0.4)),
    ):
        await asyncio.gather(first, later(second))
        told[-2:] = sorted(map(str, told[-2:]))  # who is told first, and who gives way, is nobody's promise
    return told


async def failed_statement(db: Database, alone: Alone, chance: random.Random) -> list[Any]:
    """A transaction with a failed statement does not commit, and says so."""
    del alone, chance
    told: list[Any] = []
    async with db.transaction() as tx:
        tx.publish(event("a", "n"), 1)
    try:
        async with db.transaction() as tx:
            tx.publish(event("a", "m"), 1)
            try:
                await outbox_writer("//tongban/x")(tx)
            except Fault as fault:
                told.append(fault.code)
            tx.pending.clear()
    except RuntimeError as problem:
        told.append(str(problem))
    try:
        async with db.transaction() as tx:
            try:
                tx.publish(event("a", "m"), 1)
                await outbox_writer("//tongban/x")(tx)
            except Fault:
                await store.known(tx, CONSUMER, [])
    except asyncpg.InFailedSQLTransactionError as problem:
        told.append(type(problem).__name__)
    return told


SCENARIOS: tuple[Scenario, ...] = (
    outbox_and_relay,
    relay_state,
    inbox_rows,
    parking,
    the_rest,
    two_at_once,
    failed_statement,
)


def in_memory(scenario: Scenario, seed: int) -> tuple[list[Any], set[str]]:
    """Run a scenario on the database in memory; return what it told and the statements it used."""
    world = World(seed)
    server = Server(world, "intake")

    async def alone() -> Connection:
        return Connection(server, "alone")

    db = open_database(server, outbox_writer("//tongban/intake"))
    told = world.run(scenario(db, alone, random.Random(seed)))
    assert not world.wrong, world.wrong
    return told, world.asked


@asynccontextmanager
async def in_postgres(dsn: str) -> AsyncIterator[tuple[Database, Alone]]:
    """Open the real database, and connections outside its pool."""
    opened: list[Any] = []

    async def alone() -> Any:
        opened.append(await asyncpg.connect(dsn))
        return opened[-1]

    db = await Database.open(dsn, write_events=outbox_writer("//tongban/intake"))
    try:
        yield db, alone
    finally:
        for connection in opened:
            connection.terminate()
        await db.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_the_database_in_memory_answers_as_postgres_does(
    fresh_database: FreshDatabase, scenario: Scenario
) -> None:
    for seed in SEEDS:
        expected, _ = await asyncio.to_thread(in_memory, scenario, seed)
        async with in_postgres(await fresh_database(MESSAGING_V1)) as (db, alone):
            found = await scenario(db, alone, random.Random(seed))
        assert expected == found


NOT_COMPARED = {
    "select pg_notify($1, '')": "notifications are a hint, lost ones are a fault of the simulator",
    "set local synchronous_commit = off": "a power cut is not simulated",
}


def test_every_statement_that_the_simulator_knows_is_compared_with_postgres() -> None:
    used: set[str] = set()
    for scenario in SCENARIOS:
        for seed in SEEDS:
            used |= in_memory(scenario, seed)[1]
    left = {statement for statement in known_statements() if statement not in used} - set(NOT_COMPARED)
    assert not left, sorted(left)
