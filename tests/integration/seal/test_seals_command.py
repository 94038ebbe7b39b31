"""`tongban seals grant|rules|approve-use|uses|sign` against the real door, as an operator's certificate says."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.local.authority import open_authority
from cli.main import app
from tests.integration.seal.conftest import UNSEALED, SealWorld
from tests.integration.seal.doors import OPERATOR, Doors
from tests.unit.seal.sealing_room import ofd_files, pack

PEOPLE = ("--operator", "张三", "--second-person", "李四", "--reason", "年度授权")


@pytest.fixture
async def doors(stocked: SealWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Doors]:
    async with AsyncExitStack() as stack:
        made = Doors(stocked, open_authority(tmp_path / "ca"), stack)
        await made.open()
        tls = made.authority.identity(OPERATOR)
        settings = {
            "SEAL_ADDRESS": f"127.0.0.1:{made.port}", "CERTIFICATE": tls.certificate, "KEY": tls.key,
            "AUTHORITY": tls.authority,
        }  # fmt: skip
        for name, value in settings.items():
            monkeypatch.setenv(f"TONGBAN_OPERATOR_{name}", str(value))
        yield made


async def run(*words: object, status: int = 0) -> Any:
    """Run the command in a thread of its own; return what it printed as JSON."""
    arguments = ["seals", *map(str, words), "--json"]
    done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert done.exit_code == status, (done.output, done.exception)
    return json.loads(done.stdout)


async def test_files_are_sealed_under_a_grant_and_listed(doors: Doors, tmp_path: Path):
    seal_id, out = doors.seal_id, tmp_path / "out"
    files = []
    for number in range(3):
        files.append(tmp_path / f"notice-{number}.ofd")
        files[-1].write_bytes(pack(ofd_files(number + 1)))
    sign = ("sign", *files, "--seal", seal_id, "--type", "notice", "--item", "item-1", "--at", "1,130,220",
            "--to", out)  # fmt: skip
    refused = await run(*sign, status=3)
    assert (refused["sealed"], refused["refused"]) == (0, 3)
    assert {each["reason"] for each in refused["files"]} == {"SEAL_USE_NOT_GRANTED"}
    said = await run("grant", seal_id, "--to", "operator/ops-1", "--type", "notice", *PEOPLE)
    done = await run(*sign)
    assert done["request_id"] == refused["request_id"], "the same again goes on"
    for each in done["files"]:
        document = Path(each["written"]).read_bytes()
        assert hashlib.sha256(document).hexdigest() == each["sha256"]
        assert (await doors.world.verify(document)).verdict.value == "VALID"
    assert {each["signature_id"] for each in (await run(*sign))["files"]} == {
        each["signature_id"] for each in done["files"]
    }
    uses = (await run("uses", "--seal", seal_id, "--type", "notice"))["uses"]
    assert [each["outcome"] for each in uses] == ["sealed"] * 3 + ["SEAL_USE_NOT_GRANTED"] * 3
    assert uses[0]["detail"]["grant_id"] == said["grant_id"]
    assert len((await run("uses", "--refused"))["uses"]) == 3
    await run("withdraw-grant", seal_id, said["grant_id"], "--operator", "张三", "--reason", "停用")
    states = [each.get("withdrawn_at") for each in (await run("grants", seal_id))["grants"]]
    assert [bool(each) for each in states] == [False, True]


async def test_rules_are_shown_and_changed_and_a_document_approved(doors: Doors, tmp_path: Path):
    seal_id, file = doors.seal_id, tmp_path / "notice.ofd"
    file.write_bytes(UNSEALED)
    assert (await run("rules", seal_id))["quorum"] == 0
    changed = await run("rules", seal_id, "--quorum", 2, "--daily-limit", 9, *PEOPLE)
    assert (changed["quorum"], changed["daily_limit"], changed["burst_limit"]) == (2, 9, 0)
    lone = await run("rules", seal_id, "--quorum", 0, "--operator", "张三", "--reason", "x", status=1)
    assert [each["field"] for each in lone["fields"]] == ["second_person"]
    done = await run("approve-use", seal_id, file, "--approver", "王五", "--note", "同意")
    assert (done["approvers"], done["quorum"]) == (1, 2)
    wrong = await run("grant", seal_id, "--to", "nobody", "--type", "notice", *PEOPLE, status=1)
    assert wrong["fields"][0]["field"] == "--to"
    places = ("--seal", seal_id, "--type", "notice", "--item", "i")
    assert (await run("sign", file, *places, status=1))["reason"] == "INVALID_REQUEST"
    assert (await run("sign", file, *places, "--at", "1,2", status=1))["reason"] == "INVALID_REQUEST"
