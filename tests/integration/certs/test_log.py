"""The transparency log in PostgreSQL: nothing is lost or doubled, whatever is altered is named (P9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, log2
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.clock import system_clock
from chassis.db import Database, Transaction
from chassis.migrate import migrate
from chassis.outbox import outbox_writer
from chassis.tlog.alignment import Damage, Finding
from chassis.tlog.audit import audit
from chassis.tlog.checkpoint import open_checkpoint
from chassis.tlog.note import ED25519, Signer
from chassis.tlog.tree import is_consistent, is_included, leaf_hash, root_of
from cli.transparency.reading import read_log, unproved_rows
from services.certs.domain.log import Leaf, leaf_bytes
from services.certs.store.log import BookStore, LogQueue, forget_salts
from services.certs.usecases.log import Sequenced, proof_at, proof_between, proof_of, sequence

pytestmark = [pytest.mark.promise("P9")]
SIGNER = Signer("tongban.test/certs", ED25519, Ed25519PrivateKey.from_private_bytes(bytes(32)))
NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)


def leaf(n: int, licence: int = 0) -> Leaf:
    licence_id = str(UUID(int=licence or n + 1))
    return Leaf("licence", licence_id, NOW, {"act": "make", "status": "valid", "version": n + 1}, b"s" * 16)


@dataclass
class Room:
    dsn: str
    database: Database

    async def queue(self, *leaves: Leaf) -> None:
        async with self.database.transaction() as tx:
            await LogQueue(tx).append_many(leaves)

    async def sequence(self, limit: int = 4_096) -> Sequenced | None:
        async with self.database.transaction() as tx:
            return await sequence(BookStore(tx), SIGNER, tx.now(), limit=limit)

    async def drain(self, limit: int = 4_096) -> None:
        """Sequence until the queue is empty; PostgreSQL may take a moment to see that a holder was killed."""
        async with asyncio.timeout(30):
            while (done := await self.sequence(limit)) is None or done.taken:
                await asyncio.sleep(0.01 if done is None else 0)

    @asynccontextmanager
    async def book(self) -> AsyncIterator[BookStore]:
        async with self.database.transaction() as tx:
            yield BookStore(tx)

    @asynccontextmanager
    async def superuser(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        connection = await asyncpg.connect(self.dsn)
        try:
            yield connection
        finally:
            await connection.close()


@pytest.fixture
async def room(fresh_database) -> AsyncIterator[Room]:
    dsn = await fresh_database()
    await migrate("certs", dsn)
    database = await Database.open(dsn, now=system_clock, write_events=outbox_writer("//tongban/certs"))
    yield Room(dsn, database)
    await database.close()


async def test_queued_leaves_are_proved_under_signed_checkpoints(room: Room) -> None:
    await room.sequence()
    sizes, leaves = [0], [leaf(n) for n in range(700)]
    for start, end in ((0, 1), (1, 255), (255, 256), (256, 700)):
        await room.queue(*leaves[start:end])
        assert await room.sequence() == Sequenced(end - start, end)
        sizes.append(end)
    hashes = [leaf_hash(leaf_bytes(each)) for each in leaves]
    async with room.book() as book:
        for size in sizes:
            published = await book.checkpoint(size)
            assert published is not None
            checkpoint, _ = open_checkpoint(published.note, SIGNER.verifier)
            assert (checkpoint.size, checkpoint.root) == (size, root_of(hashes[:size]))
        for index in (0, 1, 254, 255, 256, 511, 512, 699):
            proof = await proof_at(book, await book.entry(index))
            assert proof.entry.content == leaf_bytes(leaves[index])
            assert len(proof.hashes) <= ceil(log2(700)) + 1
            assert is_included(index, 700, hashes[index], proof.hashes, proof.checkpoint.root)
            found = await book.entry_of(leaves[index].licence_id, hashes[index])
            assert found == proof.entry
        for old in sizes:
            for new in sizes[sizes.index(old) :]:
                found_proof = await proof_between(book, old, new)
                roots = root_of(hashes[:old]), root_of(hashes[:new])
                assert is_consistent(old, roots[0], new, roots[1], found_proof)


async def test_the_newest_state_of_a_licence_is_what_is_proved(room: Room) -> None:
    await room.queue(leaf(0, licence=7), leaf(1, licence=8), leaf(2, licence=7), leaf(3, licence=9))
    await room.drain()
    async with room.book() as book:
        proof = await proof_of(book, str(UUID(int=7)))
    assert proof.entry.index == 2
    assert proof.entry.salt == b"s" * 16


async def test_what_rolls_back_leaves_no_leaf(room: Room) -> None:
    with suppress(ZeroDivisionError):
        async with room.database.transaction() as tx:
            await LogQueue(tx).append(leaf(0))
            raise ZeroDivisionError
    await room.queue(leaf(1))
    await room.drain()
    async with room.book() as book:
        assert await book.size() == 1


class Breaking:
    """A connection that dies before the statement with a number, as a killed process's does."""

    def __init__(self, connection: Any, before: int) -> None:
        self._connection, self._left = connection, before

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        return self._counted(found) if name in {"fetch", "fetchrow", "fetchval", "execute"} else found

    def _counted(self, work: Callable[..., Any]) -> Callable[..., Any]:
        async def run(*given: Any) -> Any:
            if self._left == 0:
                self._connection.terminate()
                raise ConnectionResetError
            self._left -= 1
            return await work(*given)

        return run


async def _killed_before(room: Room, statement: int) -> bool:
    """Run one step on a connection that dies before a statement; say whether it did."""
    connection = await asyncpg.connect(room.dsn)
    breaking = Breaking(connection, statement)
    tx = Transaction(breaking, system_clock)  # type: ignore[arg-type]
    try:
        await tx.execute("begin")
        await sequence(BookStore(tx), SIGNER, NOW, limit=7)
        await tx.execute("commit")
    except ConnectionResetError:
        return True
    await connection.close()
    return False


async def test_a_sequencer_killed_between_any_two_statements_neither_loses_nor_doubles_a_leaf(
    room: Room,
) -> None:
    leaves = [leaf(n) for n in range(300)]
    statement, killed = 0, 0
    for start in range(0, 300, 10):
        await room.queue(*leaves[start : start + 10])
        if await _killed_before(room, statement):
            killed, statement = killed + 1, statement + 1
        else:
            statement = 0
        await room.sequence(limit=5)
    assert killed >= 8, "between every two statements"
    await room.drain()
    async with room.superuser() as connection, connection.transaction():
        log = await read_log(connection)
        assert list(log.leaves) == [leaf_hash(leaf_bytes(each)) for each in leaves]
        verdict = audit(log, SIGNER.verifier)
        assert (verdict.size, verdict.findings) == (300, [])
        assert await connection.fetchval("select count(*) from log_queue") == 0


async def test_many_sequencers_at_once_take_each_leaf_once(room: Room) -> None:
    async def write(first: int) -> None:
        for n in range(first, first + 40):
            await room.queue(leaf(n))

    async def take() -> None:
        for _ in range(30):
            await room.sequence(limit=9)

    await asyncio.gather(*(write(n * 40) for n in range(4)), *(take() for _ in range(4)))
    await room.drain()
    async with room.superuser() as connection, connection.transaction():
        log = await read_log(connection)
    assert len(set(log.leaves)) == len(log.leaves) == 160
    assert audit(log, SIGNER.verifier).findings == []


DEEDS = {
    "edit": "update log_leaf set leaf = 'another' where leaf_index = $1::bigint",
    "delete": "delete from log_leaf where leaf_index = $1::bigint",
    "swap": "update log_leaf set leaf_index = -1 - leaf_index where leaf_index in ($1::bigint, $1::bigint + 1)",
    "truncate": "delete from log_leaf where leaf_index >= $1::bigint",
}
SWAP_BACK = "update log_leaf set leaf_index = $1::bigint * 2 + 2 + leaf_index where leaf_index < 0"
NAMES = {
    "edit": Damage.EDITED,
    "delete": Damage.DELETED,
    "swap": Damage.REORDERED,
    "truncate": Damage.TRUNCATED,
}


async def test_whatever_is_done_to_a_log_of_1000_leaves_is_found_and_named(room: Room) -> None:
    for start in range(0, 1_000, 100):
        await room.queue(*(leaf(n) for n in range(start, start + 100)))
        await room.sequence()
    async with room.superuser() as connection:
        await connection.execute("alter table log_leaf drop constraint log_leaf_leaf_index_check")
        for deed, statement in DEEDS.items():
            for at in (0, 1, 127, 255, 256, 500, 767, 768, 998):
                walk = connection.transaction()
                await walk.start()
                await connection.execute("set local session_replication_role = replica")
                await connection.execute(statement, at)
                if deed == "swap":
                    await connection.execute(SWAP_BACK, at)
                (found,) = audit(await read_log(connection), SIGNER.verifier).findings
                await walk.rollback()
                assert found.damage is NAMES[deed], (deed, at, found)
                assert found.index == at or (deed == "swap" and found.index == at + 1)
        assert audit(await read_in_walk(connection), SIGNER.verifier).findings == []


async def read_in_walk(connection: asyncpg.Connection[Any]) -> Any:
    async with connection.transaction():
        return await read_log(connection)


@pytest.mark.parametrize(
    "statement",
    [
        "update log_leaf set leaf = 'x' where leaf_index = 0",
        "delete from log_leaf",
        "update log_tile set hashes = sha256('x')",
        "delete from log_tile",
        "update log_checkpoint set note = ''",
        "delete from log_checkpoint",
    ],
)
async def test_the_database_itself_refuses_to_change_the_log(room: Room, statement: str) -> None:
    await room.queue(leaf(0))
    await room.drain()
    async with room.superuser() as connection:
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await connection.execute(statement)


async def test_a_forgotten_salt_leaves_the_log_whole_and_the_content_unprovable(room: Room) -> None:
    await room.queue(leaf(0, licence=7))
    await room.drain()
    async with room.database.transaction() as tx:
        await forget_salts(tx, [str(UUID(int=7))])
    async with room.book() as book:
        entry = await book.entry(0)
    assert entry is not None
    assert entry.salt == b""
    async with room.superuser() as connection, connection.transaction():
        assert audit(await read_log(connection), SIGNER.verifier).findings == []


async def test_an_empty_registry_has_nothing_unproved(room: Room) -> None:
    await room.sequence()
    async with room.superuser() as connection, connection.transaction():
        assert await unproved_rows(connection) == list[Finding]()
