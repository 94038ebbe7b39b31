"""The commands on a running stack of four processes: keys turn, services notice, the doctor finds nothing wrong."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.stacks.local import SERVICES, LocalStack, local_stack

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.e2e, pytest.mark.promise("P17")]


async def tongban(stack: LocalStack, *words: str) -> tuple[int, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cli", *words, "--json", "--data-dir", str(stack.layout.home)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    return process.returncode or 0, json.loads(told)


async def test_every_key_of_a_running_stack_turns_by_command_and_the_doctor_is_content() -> None:
    async with local_stack() as stack:
        before = {name: each.pid for name, each in stack.state.processes.items()}
        status, told = await tongban(stack, "doctor")
        assert not [each for each in told["checks"] if each["severity"] == "error"]
        assert status == 0
        ring = json.loads((stack.layout.secrets("intake") / "field_keys.json").read_text())
        old = ring["active"]
        for word in ("rotate", "rewrap"):
            assert (await tongban(stack, "keys", word, "--service", "intake"))[0] == 0
        status, told = await tongban(stack, "keys", "retire", old, "--service", "intake")
        left = 1 if status == 0 else 2
        assert status == 0 or told["reason"] == "KEY_TOO_FRESH"  # by how long the commands took
        assert (await tongban(stack, "keys", "rotate", "--service", "intake", "--what", "token"))[0] == 0
        for word in ("rotate", "rewrap"):
            status, told = await tongban(stack, "keys", word, "--service", "seal", "--what", "keystore")
            assert status == 0, told
        status, told = await tongban(
            stack, "keys", "retire", "keystore", "--service", "seal", "--what", "keystore"
        )
        assert status == 0, told
        await asyncio.sleep(1.5)
        async with httpx.AsyncClient() as client:
            url = f"http://{stack.state.services['intake'].http}/.well-known/jwks.json"
            published = (await client.get(url)).json()["keys"]
        assert [key.get("exp") is None for key in published] == [True, False]
        _, told = await tongban(stack, "keys", "status")
        kept = {each["service"]: each for each in told["services"]}
        assert len(kept["intake"]["field"]) == left
        assert len(kept["notify"]["field"]) == 1
        assert kept["seal"]["keystore"]["secrets"] == 1
        assert kept["seal"]["keystore"]["older"] == 0
        assert kept["seal"]["keystore"]["newest"] > 30
        assert [key["signs"] for key in kept["intake"]["token"]] == [True, False]
        assert {name: each.pid for name, each in stack.state.processes.items()} == before
        assert not [name for name in SERVICES if "Traceback" in stack.log(name)]
