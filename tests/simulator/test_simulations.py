"""Thousands of seeded runs of the real messaging core and of the whole choreography, in virtual time.

A failure names its seed and the command that repeats it, bit for bit. Without ``--simulations`` as many runs as
fit into a short while, at least a few.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulator.judging import JUDGES, run_seeds

CHECKOUT = Path(__file__).parents[2]
SECONDS = 12.0
"""How long each simulation goes on by default."""
FEWEST = {"messaging": 60, "choreography": 10}
HAPPENED = {
    "messaging": (
        "events",
        "crash_at_call",
        "commit_unknown",
        "append_unknown",
        "deadly_events",
        "swallowed",
    ),
    "choreography": (
        "licences",
        "messages",
        "told_to_watchers",
        "crash_at_call",
        "commit_unknown",
        "provider_mute",
    ),
}
MOST = {"messaging": 1_000, "choreography": 150}


def seeds_of(name: str, config: pytest.Config) -> Iterator[int]:
    """Yield the seeds of a run: as many as were asked for, or as fit."""
    first, wanted = config.getoption("--first-seed"), config.getoption("--simulations", default=None)
    end = time.monotonic() + SECONDS
    for number in range(wanted or MOST[name]):
        if wanted is None and number >= FEWEST[name] and time.monotonic() > end:
            return
        yield first + number


@pytest.mark.promise("P2", "P3", "P7")
@pytest.mark.parametrize("name", sorted(JUDGES))
@pytest.mark.usefixtures("without_collector")
def test_whatever_breaks_nothing_is_lost_doubled_or_overtaken(
    name: str, request: pytest.FixtureRequest, record_property: pytest.RecordProperty
) -> None:
    report = run_seeds(name, JUDGES[name], seeds_of(name, request.config))
    record_property("measured", str(report))
    print(report)
    assert not report.failed, report.complaint()
    if report.runs >= FEWEST[name]:
        assert not [each for each in HAPPENED[name] if not report.counts[each]], (
            "a run without it proves little"
        )


@pytest.mark.promise("P3")
@pytest.mark.parametrize("name", sorted(JUDGES))
def test_a_seed_gives_the_same_run_bit_for_bit_in_every_process(name: str) -> None:
    seeds = 4 if name == "messaging" else 2
    here = [JUDGES[name](seed).trace_hash for seed in range(1, seeds + 1)]
    assert here == [JUDGES[name](seed).trace_hash for seed in range(1, seeds + 1)]
    assert len(set(here)) == seeds
    for hash_seed in ("1", "4711"):
        assert _hashes_elsewhere(name, seeds, hash_seed) == here


def _hashes_elsewhere(name: str, seeds: int, hash_seed: str) -> list[str]:
    command = [sys.executable, "-m", "tests.simulator", name, "--hash", "--simulations", str(seeds)]
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{CHECKOUT / 'gen'}",
    }
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True)
    return [line.split()[1] for line in done.stdout.splitlines()]


def test_a_failure_tells_its_seed_and_how_to_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import chassis.inbox_batch as batch

    async def forgetful(tx: object, consumer: str, event_ids: object) -> set[object]:
        del tx, consumer
        return set(event_ids)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(batch.store, "insert_fresh", forgetful)
    report = run_seeds("messaging", JUDGES["messaging"], itertools.islice(itertools.count(1), 20))
    assert report.failed
    seed = report.failed[0].seed
    assert f"python -m tests.simulator messaging --simulations 1 --first-seed {seed}" in report.complaint()
    assert JUDGES["messaging"](seed).trace_hash == report.failed[0].trace_hash
