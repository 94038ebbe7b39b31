"""A witness outside keeps the registry's log from being cut, rewritten or shown differently (P9)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from chassis.clock import system_clock
from chassis.db import Database
from chassis.errors import Fault
from chassis.migrate import migrate
from chassis.tlog.alignment import Damage
from chassis.tlog.asking import Witness, ask, witness_egress
from chassis.tlog.audit import audit
from chassis.tlog.note import ED25519, Signer, parse_note
from chassis.tlog.witness import REQUEST_LIMIT, Request
from cli.local.ports import free_port
from cli.main import app
from cli.transparency.places import read_anchors
from cli.transparency.reading import read_log
from cli.witness.key import witness_signer
from cli.witness.memory import Memory
from services.certs.domain.log import Leaf
from services.certs.store.log import BookStore, LogQueue
from services.certs.usecases.cosign import Asked, Outcome, Said, cosign
from services.certs.usecases.log import Book, sequence

pytestmark = [pytest.mark.promise("P9")]
LOG = Signer("tongban.test/certs", ED25519, Ed25519PrivateKey.from_private_bytes(bytes(32)))
NAME = "witness.test"
NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
START_SECONDS = 30.0


@dataclass
class Outside:
    """A witness as a process of its own: `tongban witness serve`."""

    home: Path
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def witness(self) -> Witness:
        return Witness(witness_signer(self.home, NAME).verifier, self.url)

    async def start(self) -> None:
        ready = self.home.parent / "witness.ready"
        told = {"--data-dir": self.home, "--name": NAME, "--log-key": LOG.verifier, "--ready-file": ready}
        told |= {"--listen": f"127.0.0.1:{self.port}"}
        words = [str(word) for pair in told.items() for word in pair]
        ready.unlink(missing_ok=True)
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli", "witness", "serve", *words, env=dict(os.environ)
        )
        async with asyncio.timeout(START_SECONDS):
            while not ready.exists():
                assert self.process.returncode is None
                await asyncio.sleep(0.05)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(how)
            await self.process.wait()


class Registry:
    """A registry's log that asks one witness."""

    def __init__(self, dsn: str, database: Database, outside: Outside) -> None:
        self.dsn, self.database, self.outside = dsn, database, outside
        self._egress = witness_egress([outside.witness], ["127.0.0.1/32"])

    @asynccontextmanager
    async def books(self) -> AsyncIterator[Book]:
        async with self.database.transaction() as tx:
            yield BookStore(tx)

    async def log(self, *names: str) -> None:
        async with self.database.transaction() as tx:
            leaves = [
                Leaf("licence", str(UUID(int=n + 1)), NOW, {"act": each}) for n, each in enumerate(names)
            ]
            await LogQueue(tx).append_many(leaves)
        async with self.database.transaction() as tx:
            await sequence(BookStore(tx), LOG, tx.now())

    async def cosign(self) -> Asked:
        async def asking(request: Request) -> Said:
            return await ask(self._egress, self.outside.witness, request)

        return await cosign(self.books, self.outside.witness.verifier, asking, NOW)

    async def execute(self, statement: str) -> None:
        async with self.database.transaction() as tx:
            await tx.execute("set local session_replication_role = replica")
            await tx.execute(statement)

    async def close(self) -> None:
        await self._egress.close()
        await self.database.close()


Open = Callable[[], Awaitable[Registry]]


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[Outside]:
    made = Outside(tmp_path / "witness")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def another(fresh_database, outside: Outside) -> AsyncIterator[Open]:
    opened: list[Registry] = []

    async def make() -> Registry:
        dsn = await fresh_database()
        await migrate("certs", dsn)
        opened.append(Registry(dsn, await Database.open(dsn, now=system_clock), outside))
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


async def test_every_newer_checkpoint_is_cosigned_also_after_the_witness_was_killed(
    another: Open, outside: Outside
) -> None:
    registry = await another()
    await registry.log()
    assert (await registry.cosign()).outcome is Outcome.NOTHING_NEW, "the empty log needs no witness"
    for names in (["a"], ["b", "c", "d"], ["e"]):
        await registry.log(*names)
        assert (await registry.cosign()).outcome is Outcome.COSIGNED
        await outside.stop(signal.SIGKILL)
        await outside.start()
    async with registry.books() as book:
        newest = await book.newest()
    assert newest is not None
    assert parse_note(newest.cosigned_note).cosigned_at(outside.witness.verifier) is not None
    assert (await registry.cosign()).outcome is Outcome.NOTHING_NEW
    await registry.execute("delete from log_cosignature")
    assert (await registry.cosign()).outcome is Outcome.COSIGNED, "it learns anew how far the witness saw"


async def test_a_log_that_was_cut_finds_no_witness(another: Open) -> None:
    whole, cut = await another(), await another()
    await whole.log("a", "b", "c")
    await whole.cosign()
    await cut.log("a", "b")
    assert (await cut.cosign()).outcome is Outcome.DISAGREES


async def test_a_log_that_was_rewritten_finds_no_witness(another: Open) -> None:
    whole, other = await another(), await another()
    await whole.log("a", "b", "c")
    await whole.cosign()
    await other.log("x", "b", "c", "d", "e")
    assert (await other.cosign()).outcome is Outcome.DISAGREES


async def test_two_checkpoints_of_equal_size_with_other_roots_are_kept_as_evidence_and_told(
    another: Open, outside: Outside
) -> None:
    whole, other = await another(), await another()
    await whole.log("a", "b", "c")
    await whole.cosign()
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{outside.url}/health")).status_code == 200
        await other.log("x", "b", "c")
        assert (await other.cosign()).outcome is Outcome.DISAGREES
        assert (await client.get(f"{outside.url}/health")).status_code == 503
        assert "witness_evidence_files 1.0" in (await client.get(f"{outside.url}/metrics")).text
        assert (await client.get(f"{outside.url}/key")).text == f"{outside.witness.verifier}\n"
    shown = CliRunner().invoke(app, ["witness", "evidence", "--data-dir", str(outside.home)])
    assert shown.exit_code == 1
    anchors = read_anchors([], outside.home)
    assert len(anchors) == 3
    async with whole.database.connection() as connection, connection.transaction():
        findings = audit(await read_log(connection, anchors), LOG.verifier).findings
    assert {(each.index, each.damage) for each in findings} == {(3, Damage.SPLIT_VIEW)}


async def test_a_witness_takes_no_more_than_a_checkpoint_needs(outside: Outside) -> None:
    async with httpx.AsyncClient() as client:
        too_large = await client.post(f"{outside.url}/add-checkpoint", content=b"x" * (REQUEST_LIMIT + 1))
        nonsense = await client.post(f"{outside.url}/add-checkpoint", content=b"x")
        other_way = await client.get(f"{outside.url}/add-checkpoint")
    assert [too_large.status_code, nonsense.status_code, other_way.status_code] == [413, 400, 405]


def test_one_witness_works_in_a_directory_and_none_in_a_damaged_one(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    with pytest.raises(Fault, match="WITNESS_BUSY"):
        Memory(tmp_path)
    memory.close()
    (tmp_path / "seen.json").write_text('{"log": {"size": 1')
    with pytest.raises(Fault, match="WITNESS_MEMORY_DAMAGED"):
        Memory(tmp_path)


def test_a_witness_has_one_key_for_ever(tmp_path: Path) -> None:
    told = ["witness", "key", "--data-dir", str(tmp_path), "--name", NAME, "--json"]
    first, again = (CliRunner().invoke(app, told).stdout for _ in range(2))
    assert first == again
    assert (tmp_path / "witness.pem").stat().st_mode & 0o077 == 0
