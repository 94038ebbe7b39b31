"""Many seeds: ``python -m tests.history --seeds 100 --bus kafka --events 10000 --json build/history.json``.

Exit code 0: every seed is sound; 1: an anomaly or a run that did not settle; 2: no server to be had.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from pathlib import Path

from chassis.errors import Fault
from tests.history.checker import describe
from tests.history.nemesis import plan
from tests.history.seed_run import Outcome, run_seed
from tests.history.servers import open_servers


def main() -> int:
    """Run the seeds that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.history", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--bus", choices=("kafka", "postgres"), default="kafka")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--load-seconds", type=float, default=8.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, default=Path("build/history"), help="histories of broken seeds")
    parser.add_argument("--plan", action="store_true", help="only print what would go wrong")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # clients report every fault of the plan
    if arguments.plan:
        return _print_plans(arguments)
    try:
        return asyncio.run(_run(arguments))
    except Fault as problem:
        print(f"no servers: {problem.code}: {problem.en}", file=sys.stderr)
        return 2


def _print_plans(arguments: argparse.Namespace) -> int:
    for seed in _seeds(arguments):
        for each in plan(seed, arguments.load_seconds):
            print(f"seed {seed} {each.after_seconds:5.2f} s {each.kind} {each.detail}")
    return 0


def _seeds(arguments: argparse.Namespace) -> range:
    return range(arguments.first_seed, arguments.first_seed + arguments.seeds)


async def _run(arguments: argparse.Namespace) -> int:
    outcomes: list[Outcome] = []
    began = time.monotonic()
    with open_servers(arguments.bus) as (services, server):
        print(f"bus: {server.name}", flush=True)
        for seed in _seeds(arguments):
            outcome = await run_seed(
                seed,
                services,
                server,
                events=arguments.events,
                load_seconds=arguments.load_seconds,
                keep=arguments.keep,
            )
            outcomes.append(outcome)
            _tell(outcome, arguments)
            if arguments.json:
                _save(arguments.json, outcomes, time.monotonic() - began)
    broken = [outcome.seed for outcome in outcomes if not outcome.is_sound]
    total = sum(outcome.verdict.counts.get("sent", 0) for outcome in outcomes)
    print(
        f"{len(outcomes)} seeds, {total} events, broken: {broken or 'none'}, {time.monotonic() - began:.0f} s"
    )
    return 1 if broken else 0


def _tell(outcome: Outcome, arguments: argparse.Namespace) -> None:
    print(outcome.summary(), flush=True)
    if not outcome.is_sound:
        print(outcome.problem or describe(outcome.verdict.anomalies))
        print("  faults: " + "; ".join(outcome.faults))
        print(f"  again: {repeat(outcome.seed, arguments.bus, arguments.events)}", flush=True)


def repeat(seed: int, bus: str, events: int) -> str:
    """Return the command that runs one seed again."""
    return f"python -m tests.history --first-seed {seed} --seeds 1 --bus {bus} --events {events}"


def _save(path: Path, outcomes: list[Outcome], seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sums: dict[str, int] = {}
    for outcome in outcomes:
        for name, count in outcome.verdict.counts.items():
            sums[name] = sums.get(name, 0) + count
    report = {
        "seeds": len(outcomes),
        "sound": sum(outcome.is_sound for outcome in outcomes),
        "seconds": round(seconds, 1),
        "kills": sum(outcome.kills for outcome in outcomes),
        "longest_recovery_seconds": max(outcome.longest_stall_seconds for outcome in outcomes),
        "sums": sums,
        "runs": [outcome.as_json() for outcome in outcomes],
    }
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
