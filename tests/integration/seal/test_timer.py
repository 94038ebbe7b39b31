"""The maker's clock: a run at once, again after its time, soon after a failure, and none in the way of an end."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest

from services.seal.app import timer
from tests.integration.seal.life_room import apply, decide, run_maker

WITHIN_SECONDS = 30


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TONGBAN_SEALMAKER_DONE_FILE", str(tmp_path / "done"))
    monkeypatch.setenv("TONGBAN_SEALMAKER_EVERY_SECONDS", "0.2")
    monkeypatch.setenv("TONGBAN_SEALMAKER_RETRY_SECONDS", "0.2")
    return tmp_path / "done"


def job(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(timer, "JOB", (sys.executable, "-c", code))


async def until(holds) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_it_runs_again_and_again_and_marks_each_good_run(done, tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    job(monkeypatch, f"open({str(runs)!r}, 'a').write('x')")
    stop = asyncio.Event()
    keeping = asyncio.create_task(timer.keep_seals(stop))
    await until(lambda: runs.exists() and len(runs.read_text()) >= 3)
    stop.set()
    assert await keeping == 0
    assert done.exists()


async def test_a_failed_run_is_not_marked_and_is_repeated(done, tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    job(monkeypatch, f"open({str(runs)!r}, 'a').write('x'); raise SystemExit(1)")
    stop = asyncio.Event()
    keeping = asyncio.create_task(timer.keep_seals(stop))
    await until(lambda: runs.exists() and len(runs.read_text()) >= 2)
    stop.set()
    assert await keeping == 0
    assert not done.exists()


async def test_a_run_under_way_does_not_hold_the_end_up(done, monkeypatch):
    job(monkeypatch, "import time; time.sleep(600)")
    stop = asyncio.Event()
    keeping = asyncio.create_task(timer.keep_seals(stop))
    await asyncio.sleep(0.5)
    stop.set()
    assert await asyncio.wait_for(keeping, WITHIN_SECONDS) == 0
    assert not done.exists()


async def test_it_runs_as_soon_as_work_waits(done, tmp_path, monkeypatch, world):
    runs = tmp_path / "runs"
    job(monkeypatch, f"open({str(runs)!r}, 'a').write('x')")
    monkeypatch.setenv("TONGBAN_SEALMAKER_EVERY_SECONDS", "3600")
    monkeypatch.setenv("TONGBAN_SEALMAKER_LOOK_SECONDS", "0.2")
    monkeypatch.setenv("TONGBAN_SEALMAKER_DATABASE_DSN", world.dsn)
    await run_maker(world)
    stop = asyncio.Event()
    keeping = asyncio.create_task(timer.keep_seals(stop))
    await until(lambda: runs.exists() and done.exists())
    await asyncio.sleep(1)
    assert len(runs.read_text()) == 1, "nothing waits"
    await decide(world, await apply(world))
    await until(lambda: len(runs.read_text()) >= 2)
    stop.set()
    assert await keeping == 0
