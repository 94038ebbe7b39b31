"""`tongban log` against a real registry over mutual TLS: verify, proof, checkpoint, export, and offline again (P9)."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from chassis.rpc.channel import service
from chassis.rpc.peer import Peer
from chassis.rpc.server import RpcServer
from chassis.tlog.held import read_held
from chassis.tlog.note import ED25519, Signer
from cli.local.authority import open_authority
from cli.main import app
from services.certs.app.verified import LOG_FINDINGS, LOG_VERIFIED_AGE, verified_measure
from services.certs.rpc.log import LogDesk, log_servicer
from services.certs.store.log import BookStore
from services.certs.usecases.log import sequence
from tests.integration.certs.conftest import World, world

__all__ = ["world"]

pytestmark = [pytest.mark.promise("P9")]
ORIGIN = "tongban.test/certs"
SIGNER, LATER = (
    Signer(ORIGIN, ED25519, Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in range(2)
)
KEY = ("--log-key", str(SIGNER.verifier))


@dataclass
class Registry:
    world: World
    licence_id: str

    async def take(self, signer: Signer = SIGNER) -> None:
        async with self.world.database.transaction() as tx:
            await sequence(BookStore(tx), signer, tx.now())

    async def tamper(self, statement: str) -> None:
        async with self.world.database.transaction() as tx:
            await tx.execute("set local session_replication_role = replica")
            await tx.execute(statement)


@pytest.fixture
async def registry(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Registry]:
    authority = open_authority(tmp_path / "ca")
    server = RpcServer(authority.identity(service("certs")), reflect=False)
    server.register(*log_servicer(world.desk, LogDesk(BookStore, SIGNER.verifier)))
    port = await server.start("127.0.0.1:0")
    identity = authority.identity(Peer("operator", "auditor"))
    told = {"CERTS_ADDRESS": f"127.0.0.1:{port}", "CERTIFICATE": identity.certificate}
    told |= {"KEY": identity.key, "AUTHORITY": identity.authority}
    for name, value in told.items():
        monkeypatch.setenv(f"TONGBAN_OPERATOR_{name}", str(value))
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path / "nowhere"))
    made = Registry(world, await world.stock_licence(world.citizen()))
    await made.take()
    await world.stock_licence(world.citizen())
    await made.take()
    yield made
    await server.drain(notice_seconds=0, grace_seconds=0.5)


async def run(*words: str | Path) -> tuple[int, str]:
    done = await asyncio.to_thread(CliRunner().invoke, app, ["log", *map(str, words)])
    return done.exit_code, done.stdout


async def told(*words: str | Path) -> tuple[int, dict[str, Any]]:
    status, said = await run(*words, "--json")
    return status, json.loads(said)


def damages(found: dict[str, Any]) -> list[tuple[int, str]]:
    return [(each["leaf_index"], each["damage"]) for each in found["findings"]]


async def test_a_whole_log_is_verified_and_an_altered_one_named(registry: Registry) -> None:
    status, found = await told("verify", *KEY)
    assert (status, found["whole"], found["size"]) == (0, True, 2)
    await registry.tamper("update log_leaf set leaf = 'another' where leaf_index = 1")
    status, found = await told("verify", *KEY)
    assert (status, damages(found)) == (1, [(1, "edited")])
    status, said = await run("verify", *KEY)
    assert (status, "edited" in said) == (1, True)


async def test_a_nightly_run_leaves_its_verdict_for_the_alarms(registry: Registry, tmp_path: Path) -> None:
    state, world = tmp_path / "verified.json", registry.world
    measure = verified_measure(state, world.clock)
    async with world.database.transaction() as tx:
        with pytest.raises(OSError):
            await measure(tx)
        assert _value(LOG_VERIFIED_AGE) == math.inf, "no news is not good news"
        await told("verify", *KEY, "--state", state)
        world.clock.offset += timedelta(hours=1)
        await measure(tx)
        assert (_value(LOG_FINDINGS), _value(LOG_VERIFIED_AGE)) == (0, pytest.approx(3_600, abs=60))
        await registry.tamper("update log_leaf set leaf = 'another' where leaf_index = 1")
        await told("verify", *KEY, "--state", state)
        await measure(tx)
        assert _value(LOG_FINDINGS) == 1


def _value(measured: Any) -> float:
    return float(measured._value.get())


async def test_without_the_logs_key_nothing_is_believed(registry: Registry) -> None:
    status, found = await told("verify")
    assert (status, found["reason"]) == (1, "LOG_KEY_NOT_GIVEN")
    status, found = await told("verify", "--log-key", str(LATER.verifier))
    assert status == 1
    assert "checkpoint_missing" in {damage for _, damage in damages(found)}


async def test_what_a_former_key_signed_is_verified_with_a_file_of_former_keys(
    registry: Registry, tmp_path: Path
) -> None:
    former = tmp_path / "log_keys.txt"
    former.write_text(f"# former keys\n{SIGNER.verifier}\n")
    status, found = await told("verify", "--log-key", str(LATER.verifier), "--log-keys", former)
    assert (status, found["whole"]) == (0, True)


async def test_the_newest_state_of_a_licence_is_proved(registry: Registry) -> None:
    status, found = await told("proof", registry.licence_id, *KEY)
    assert (status, found["leaf_index"], found["leaf"]["licence_id"]) == (0, 0, registry.licence_id)
    assert (await told("proof", "--index", "1", *KEY))[1]["leaf_index"] == 1
    status, found = await told("proof", "no such licence", *KEY)
    assert (status, found["reason"]) == (1, "LEAF_NOT_FOUND")
    status, found = await told("proof", "--index", "0", "--log-key", str(LATER.verifier))
    assert (status, found["reason"]) == (1, "CHECKPOINT_FORGED")


async def test_a_checkpoint_is_kept_and_the_log_must_have_grown_from_it(
    registry: Registry, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.txt"
    status, note = await run("checkpoint", "--to", kept, *KEY)
    assert (status, note) == (0, kept.read_text())
    await registry.world.stock_licence(registry.world.citizen())
    await registry.take()
    status, found = await told("checkpoint", "--since", kept, *KEY)
    assert (status, found["size"]) == (0, 3)
    assert (await told("verify", "--anchor", kept, *KEY))[1]["whole"]
    await registry.tamper(
        "delete from log_checkpoint; delete from log_leaf; delete from log_tile; update log_state set size = 0"
    )
    for _ in range(2):
        await registry.world.stock_licence(registry.world.citizen())
    await registry.take()
    status, found = await told("verify", "--anchor", kept, *KEY)
    assert (status, {damage for _, damage in damages(found)}) == (1, {"split_view"})


async def test_a_proof_and_what_is_trusted_are_kept_and_judged_without_access(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof, trust = tmp_path / "licence.tlog-proof", tmp_path / "log_trust.json"
    assert (await told("proof", registry.licence_id, "--to", proof, *KEY))[0] == 0
    assert (await told("checkpoint", "--trust", trust, *KEY))[0] == 0
    held = read_held(trust.read_text(encoding="utf-8"))
    assert (held.logs, len(held.subtrees)) == ((SIGNER.verifier,), 1)
    status, found = await told(
        "checkpoint", "--trust", tmp_path / "other.json", "--log-key", str(LATER.verifier)
    )
    assert (status, found["reason"]) == (1, "CHECKPOINT_FORGED")
    monkeypatch.setenv("TONGBAN_OPERATOR_CERTS_ADDRESS", "127.0.0.1:1")
    for trusted in (KEY, ("--trust", str(trust))):
        status, found = await told("verify", "--proof", proof, *trusted)
        assert (status, found["holds"], found["licence_id"]) == (0, True, registry.licence_id)
    status, found = await told("verify", "--proof", proof, "--log-key", str(LATER.verifier))
    assert (status, found["reason"]) == (1, "CHECKPOINT_FORGED")


async def test_an_exported_log_is_verified_without_access(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log.jsonl"
    status, found = await told("export", file)
    assert (status, found["leaves"], found["checkpoints"]) == (0, 2, 2)
    online = await told("verify", *KEY)
    monkeypatch.setenv("TONGBAN_OPERATOR_CERTS_ADDRESS", "127.0.0.1:1")
    assert await told("verify", "--export", file, *KEY) == online
    lines = file.read_text().splitlines()
    for altered, status, what in (
        ([line.replace('"act', '"ac') for line in lines], 1, (0, "edited")),
        ([*lines[:3], *lines[4:-1], lines[-1].replace('"leaves":2', '"leaves":1')], 1, (0, "altered_within")),
    ):
        broken = tmp_path / "altered.jsonl"
        broken.write_text("\n".join(altered) + "\n")
        done, found = await told("verify", "--export", broken, *KEY)
        assert (done, damages(found)[0]) == (status, what), found


@pytest.mark.parametrize("kept", [0, 1, -1])
async def test_an_export_that_broke_off_is_no_log(registry: Registry, tmp_path: Path, kept: int) -> None:
    file = tmp_path / "log.jsonl"
    await told("export", file)
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:kept]))
    status, found = await told("verify", "--export", file, *KEY)
    assert (status, found["reason"]) == (1, "EXPORT_UNREADABLE")


async def test_nothing_is_left_where_an_export_failed(registry: Registry, tmp_path: Path) -> None:
    status, found = await told("export", tmp_path / "none" / "log.jsonl")
    assert (status, found["reason"]) == (1, "EXPORT_UNWRITABLE")


async def test_former_keys_of_the_log_go_on_verifying_what_they_signed(registry: Registry) -> None:
    await registry.world.stock_licence(registry.world.citizen())
    await registry.take(LATER)
    status, found = await told("verify", "--log-key", str(LATER.verifier))
    assert (status, {damage for _, damage in damages(found)}) == (1, {"checkpoint_forged"})
    status, found = await told("verify", "--log-key", str(LATER.verifier), *KEY)
    assert (status, found["whole"], found["size"]) == (0, True, 3)
