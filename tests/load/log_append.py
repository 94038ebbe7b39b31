"""Leaves from the queue into the transparency log, signed: into an empty log, one of 100,000, one of a million.

The limit beside it is PostgreSQL moving the same rows from one table to another, without a tree: what a log
could do that proves nothing.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg

from chassis.db import Database
from chassis.migrate import migrate
from chassis.tlog.keys import new_log_key, read_signer
from chassis.tlog.note import ED25519
from chassis.tlog.tree import is_included, leaf_hash
from services.certs.app.transparency import sequencer
from services.certs.domain.log import Leaf
from services.certs.store.log import BookStore, LogQueue
from services.certs.usecases.log import BATCH_LEAVES, proof_at
from tests.load.measured import Measured, Missing, percentiles
from tests.load.servers import create_database, postgres

SIZES = (0, 100_000, 1_000_000)
LEAVES = 40_000
PROOFS = 300
_NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
_PLAIN = """
with taken as (delete from plain_queue where queue_id in (select queue_id from plain_queue order by queue_id limit $1)
  returning queue_id, licence_id, kind, leaf, salt)
insert into plain_leaf select queue_id, licence_id, kind, leaf, salt from taken
"""
Note = Callable[[str], None]


async def log_append(
    _names: tuple[str, ...], seconds: float, note: Note
) -> AsyncIterator[Measured | Missing]:
    """Measure leaves per second into a million, the empty and the 100,000 figure in its detail."""
    del seconds  # so many leaves, however long they take
    async with postgres() as admin:
        dsn = await create_database(admin, "certs_log")
        await migrate("certs", dsn)
        database = await Database.open(dsn, max_size=2)
        try:
            yield await _measured(database, dsn, note)
        finally:
            await database.close()


async def _measured(database: Database, dsn: str, note: Note) -> Measured:
    step = sequencer(database, read_signer(new_log_key().encode(), "tongban.bench/certs", ED25519))
    rates, held = {}, 0
    for size in SIZES:
        while held < size:
            note(f"filling up to {size:,}: {held:,}")
            held += await _queue(database, held, min(LEAVES, size - held))
            await _drain(step)
        await _queue(database, held, LEAVES)
        note(f"appending {LEAVES:,} to {held:,}")
        began = time.perf_counter()
        await _drain(step)
        rates[size] = LEAVES / (time.perf_counter() - began)
        held += LEAVES
    note("moving rows without a tree")
    plain = await _plain(database, dsn)
    note("proving")
    proofs = await _prove(database, held)
    return Measured(
        "log_append",
        round(rates[SIZES[-1]]),
        "leaves/s",
        limit_name="the same rows moved without a tree",
        limit_value=round(plain),
        rows=held,
        detail={
            "batch_leaves": BATCH_LEAVES,
            "into": {str(size): round(rate) for size, rate in rates.items()},
            "flat": round(rates[SIZES[-1]] / rates[0], 3),
            "proof": percentiles(proofs),
        },
    )


async def _queue(database: Database, first: int, count: int) -> int:
    leaves = [
        Leaf(
            "licence",
            str(uuid4()),
            _NOW,
            {
                "act": "import",
                "content": f"{n:064x}",
                "effective_at": "2026-03-09",
                "status": "valid",
                "version": 1,
            },
            b"0123456789abcdef",
        )
        for n in range(first, first + count)
    ]
    async with database.transaction() as tx:
        await LogQueue(tx).append_many(leaves)
    return count


async def _drain(step: Callable[[], object]) -> None:
    while await step():  # type: ignore[misc]
        pass


async def _plain(database: Database, dsn: str) -> float:
    """Return the rate of moving the same rows in the same batches, each batch a transaction."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "create table plain_queue (like log_queue including all);"
        "create table plain_leaf (like log_leaf including all);"
        "insert into plain_queue (licence_id, kind, leaf, salt, queued_at)"
        f" select licence_id, kind, leaf, salt, now() from log_leaf limit {LEAVES}"
    )
    await connection.close()
    began = time.perf_counter()
    for _ in range(-(-LEAVES // BATCH_LEAVES)):
        async with database.transaction() as tx:
            await tx.execute(_PLAIN, BATCH_LEAVES)
    return LEAVES / (time.perf_counter() - began)


async def _prove(database: Database, size: int) -> list[float]:
    """Return how long single proofs took, each checked."""
    taken = []
    for n in range(PROOFS):
        began = time.perf_counter()
        async with database.transaction() as tx:
            book = BookStore(tx)
            proof = await proof_at(book, await book.entry(n * size // PROOFS))
        taken.append(time.perf_counter() - began)
        root, hashed = proof.checkpoint.root, leaf_hash(proof.entry.content)
        assert is_included(proof.entry.index, proof.checkpoint.size, hashed, proof.hashes, root)
    return taken
