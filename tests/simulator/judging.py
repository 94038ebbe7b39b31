"""Runs seeds and says what is wrong with each: the same for pytest, the command line and the patches."""

from __future__ import annotations

import json
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from events.intake import PartClaimed
from tests.simulator import choreography_invariants, invariants
from tests.simulator.choreography import Choreography
from tests.simulator.messaging import BUG, CONSUMER, DEADLY, PRODUCER, STRANGE_KEY, Messaging
from tests.simulator.stage import Stage


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one seed."""

    seed: int
    wrong: tuple[str, ...]
    trace_hash: str
    tail: tuple[str, ...]
    counts: Counter[str]
    virtual_seconds: float


@dataclass(slots=True)
class Report:
    """What became of many seeds."""

    name: str
    runs: int = 0
    seconds: float = 0.0
    virtual_seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[Verdict] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in one line."""
        done = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
        return (
            f"{self.name}: {self.runs} runs, {self.runs / max(self.seconds, 1e-9):.0f} a second, "
            f"{self.virtual_seconds / 3600:.1f} virtual hours, {len(self.failed)} failed; {done}"
        )

    def complaint(self) -> str:
        """Return what a person needs to repeat the first failure."""
        first = self.failed[0]
        lines = "\n  ".join(first.wrong[:10])
        trace = "\n    ".join(first.tail)
        return (
            f"seed {first.seed} of {self.name}:\n  {lines}\n"
            f"repeat: python -m tests.simulator {self.name} --simulations 1 --first-seed {first.seed}\n"
            f"  the end of its trace ({first.trace_hash[:16]}):\n    {trace}"
        )


def judge_messaging(seed: int) -> Verdict:
    """Run one seed of `Messaging` and check it."""
    run = Messaging(seed)
    perform(run)
    world = run.world
    if not world.wrong:
        producer, consumer = run.server(PRODUCER), run.server(CONSUMER)
        world.wrong += invariants.outbox_in_order(producer)
        world.wrong += invariants.told_the_truth(producer, run.committed, run.rolled_back)
        world.wrong += invariants.bus_in_order(run.bus, run.injected)
        strange = [row for row in consumer.tables["effects"].values() if row["key"] == STRANGE_KEY]
        consumer.tables["effects"] = {
            key: row for key, row in consumer.tables["effects"].items() if row["key"] != STRANGE_KEY
        }
        world.wrong += invariants.each_event_once([producer], consumer, [PartClaimed.TYPE], name=CONSUMER)
        world.wrong += invariants.parked_with_cause(consumer, lambda row: _guilty(run, row))
        if run.ordered:
            if [row["version"] for row in strange] != [1, 3]:
                world.wrong.append(f"of versions 1, 3, 2 were applied {[row['version'] for row in strange]}")
            if run.gaps_told < 1:
                world.wrong.append("a gap in the versions was not told")
    world.counts["events"] = len(run.server(PRODUCER).tables["event_log"])
    return verdict(run)


def judge_choreography(seed: int) -> Verdict:
    """Run one seed of `Choreography` and check it."""
    run = Choreography(seed)
    perform(run)
    if not run.world.wrong:
        run.world.wrong += choreography_invariants.check(run)
    for name, service, table in (
        ("cases", "intake", "case"),
        ("licences", "certs", "licence"),
        ("messages", "notify", "message"),
    ):
        run.world.counts[name] = len(run.server(service).tables[table])
    run.world.counts["told_to_watchers"] = sum(len(watcher.told) for watcher in run.watchers)
    return verdict(run)


def perform(run: Stage) -> None:
    """Run to the end; an error of the run itself is one more thing that is wrong."""
    try:
        run.run()
    except Exception as problem:
        run.world.wrong.append("".join(traceback.format_exception(problem)[-4:]))


def verdict(run: Stage) -> Verdict:
    """Return what became of a run."""
    world = run.world
    return Verdict(
        world.seed, tuple(world.wrong), world.trace_hash, tuple(world.tail), world.counts, world.loop.time()
    )


def run_seeds(
    name: str, judge: Callable[[int], Verdict], seeds: Iterable[int], *, failures: int = 1
) -> Report:
    """Run seeds until so many failed."""
    report, began = Report(name), time.perf_counter()
    for seed in seeds:
        found = judge(seed)
        report.runs += 1
        report.counts += found.counts
        report.virtual_seconds += found.virtual_seconds
        if found.wrong:
            report.failed.append(found)
            if len(report.failed) >= failures:
                break
    report.seconds = time.perf_counter() - began
    return report


def _guilty(run: Messaging, row: dict[str, object]) -> bool:
    """Say whether an event has a reason of its own to be parked."""
    if row["cause"] == "PROCESS_ENDED":
        return True
    body = row["body"]
    try:
        fate = json.loads(body)["department_code"]  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return True
    del run
    return fate in (BUG, DEADLY)


JUDGES = {"choreography": judge_choreography, "messaging": judge_messaging}
