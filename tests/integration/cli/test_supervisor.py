"""The supervisor brings back what dies, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from chassis.errors import Fault
from cli.local.processes import ProcessId
from cli.local.services import ServiceProcess
from cli.local.supervisor import Supervisor

_READY = """
import os, pathlib, signal, sys, time
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""


def described(directory: Path, name: str, code: str = _READY, *arguments: str) -> ServiceProcess:
    ready = directory / f"{name}.ready"
    command = (sys.executable, "-c", code, str(ready), *arguments)
    return ServiceProcess(name, command, dict(os.environ), ready, directory / f"{name}.log", directory)


async def test_a_killed_process_comes_back_and_is_ready_again(tmp_path):
    changes: list[None] = []
    supervisor = Supervisor(
        [described(tmp_path, "one"), described(tmp_path, "two")], lambda: changes.append(None)
    )
    supervisor.start()
    try:
        assert await supervisor.wait_ready(10) == ()
        first, untouched = (each.process for each in supervisor.kept)
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            while supervisor.kept[0].restarts == 0 or not supervisor.kept[0].ready:
                await asyncio.sleep(0.05)
        assert supervisor.kept[0].process != first
        assert supervisor.kept[1].process == untouched
        assert len(changes) == 3
    finally:
        await supervisor.stop()


async def test_a_process_that_is_told_to_stop_is_not_started_again(tmp_path):
    supervisor = Supervisor([described(tmp_path, "one")], lambda: None)
    supervisor.start()
    assert await supervisor.wait_ready(10) == ()
    process = supervisor.kept[0].process
    assert isinstance(process, ProcessId)
    await supervisor.stop()
    assert not process.alive()
    assert supervisor.kept[0].restarts == 0
    assert (tmp_path / "one.log").read_text() == "up\n"


async def test_a_process_deaf_to_the_request_is_killed(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cli.local.supervisor.STOP_TIMEOUT_SECONDS", 0.3)
    supervisor = Supervisor([described(tmp_path, "one", _READY, "deaf")], lambda: None)
    supervisor.start()
    assert await supervisor.wait_ready(10) == ()
    await supervisor.stop()
    assert supervisor.kept[0].exited_with == -signal.SIGKILL


async def test_one_that_keeps_dying_is_named_with_its_status_and_not_waited_for(tmp_path):
    supervisor = Supervisor([described(tmp_path, "one", "raise SystemExit(2)")], lambda: None)
    supervisor.start()
    try:
        async with asyncio.timeout(10):
            (plight,) = await supervisor.wait_ready(60)
        assert "one is not ready, ended with status 2" in plight
    finally:
        await supervisor.stop()


async def test_a_successor_is_ready_before_the_old_process_is_asked_to_end(tmp_path):
    supervisor = Supervisor([described(tmp_path, "one")], lambda: None)
    supervisor.start()
    try:
        assert await supervisor.wait_ready(10) == ()
        old = supervisor.kept[0].process
        await supervisor.replace("one")
        assert supervisor.kept[0].ready
        assert supervisor.kept[0].process != old
        assert old is not None
        assert not old.alive()
        assert supervisor.kept[0].restarts == 0
    finally:
        await supervisor.stop()
    assert not supervisor.kept[0].process.alive()


async def test_the_old_process_serves_on_when_its_successor_does_not_start(tmp_path):
    once = f"import pathlib; p = pathlib.Path({str(tmp_path / 'second')!r})\nif p.exists(): raise SystemExit(2)\np.touch()\n"
    supervisor = Supervisor([described(tmp_path, "one", once + _READY)], lambda: None)
    supervisor.start()
    try:
        assert await supervisor.wait_ready(10) == ()
        old = supervisor.kept[0].process
        with pytest.raises(Fault, match="SUCCESSOR_NOT_READY"):
            await supervisor.replace("one")
        assert supervisor.kept[0].process == old
        assert supervisor.kept[0].ready
    finally:
        await supervisor.stop()
