"""Seeded runs: case work at the public doors while processes are killed, then evidence for the checker.

The seed picks who is killed, in which order and when; run it again and the same is done again. On the
PostgreSQL bus the whole log is then delivered a second time, too, while the work goes on.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chassis.bus import BusConfig
from chassis.bus.postgres import open_transport
from cli.local.health import consumed_topics
from cli.local.layout import SEAL_SIGNER
from tests.chaos.evidence import Evidence, read_evidence
from tests.chaos.invariants import check
from tests.stacks.applicants import Applicant, Desk, carry_through, case_workers
from tests.stacks.local import SERVICES, LocalStack
from tests.stacks.settling import settled

APPLICANTS = 4
FIRST_PAUSE_SECONDS = (0.3, 2.0)
"""Between the last process' return and the next kill; the seed chooses within."""
THINKING_SECONDS = (0.1, 0.6)
"""What an applicant waits between two cases: load enough to hit work in flight, and a stack that keeps up."""
SETTLE_SECONDS = 150.0
"""A message whose sender died is asked for again after 60 s (SENDING_LEASE); all else is quicker."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_SKIPPED = "tongban_inbox_duplicates_total"


@dataclass(frozen=True)
class Plan:
    """What a seed does: the victims in order, and the pause before each kill in seconds."""

    seed: int
    kills: tuple[tuple[str, float], ...]


def plan(seed: int) -> Plan:
    """Return the plan of a seed: each service and the signer once, in an order and at moments of its own.

    Every third seed also kills the database server under all of them.
    """
    rng = random.Random(seed)
    victims = [*SERVICES, SEAL_SIGNER, *(["postgres"] if seed % 3 == 0 else [])]
    rng.shuffle(victims)
    return Plan(seed, tuple((victim, rng.uniform(*FIRST_PAUSE_SECONDS)) for victim in victims))


@dataclass
class Outcome:
    """What happened on one stack."""

    plans: Sequence[Plan]
    recovered: list[tuple[str, float]] = field(default_factory=list)
    """Who was killed, in order, and the seconds until its successor was ready."""
    settled_seconds: float = 0.0
    skipped: dict[str, int] = field(default_factory=dict)
    """Deliveries that each service's present process had seen before and skipped."""
    evidence: Evidence = field(default_factory=Evidence)
    problems: list[str] = field(default_factory=list)

    def report(self) -> str:
        """Return the runs in one line."""
        seeds = " ".join(str(plan.seed) for plan in self.plans)
        back = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.recovered)
        counts = ", ".join(f"{name} {count}" for name, count in self.evidence.counts().items())
        return (
            f"seeds {seeds}: kills {len(self.recovered)}, back after seconds: {back};"
            f" settled after {self.settled_seconds:.1f} s; {counts};"
            f" duplicates skipped {sum(self.skipped.values())}; problems {len(self.problems)}"
        )


async def run_seeds(
    stack: LocalStack, workers: tuple[Sequence[Applicant], Desk], seeds: Sequence[int]
) -> Outcome:
    """Do the plans of some seeds under load, let everything settle once, and judge what they left behind."""
    outcome, (applicants, _) = Outcome([plan(seed) for seed in seeds]), workers
    for each in outcome.plans:
        await _under_load(stack, workers, each, outcome)
    began = time.monotonic()
    if not await settled(stack, SETTLE_SECONDS):
        outcome.problems.append(f"not settled after {SETTLE_SECONDS:.0f} s")
    outcome.settled_seconds = time.monotonic() - began
    outcome.evidence = await read_evidence(stack.dsn, stack.state.kafka_bootstrap)
    outcome.skipped = await duplicates_skipped(stack)
    for applicant in applicants:
        outcome.evidence.receipts.update(applicant.receipts)
    outcome.problems += check(outcome.evidence)
    return outcome


async def _under_load(
    stack: LocalStack, workers: tuple[Sequence[Applicant], Desk], plan: Plan, outcome: Outcome
) -> None:
    (applicants, desk), over = workers, asyncio.Event()

    async def work(number: int, applicant: Applicant) -> None:
        rng = random.Random(f"{plan.seed}/{number}")
        while not over.is_set():
            await carry_through(applicant, desk)
            await asyncio.sleep(rng.uniform(*THINKING_SECONDS))

    async with asyncio.TaskGroup() as working:
        for each in enumerate(applicants):
            working.create_task(work(*each))
        try:
            await _carry_out(stack, plan, outcome)
            if stack.state.bus == "postgres":
                await _deliver_all_again(stack)
        finally:
            over.set()


async def _carry_out(stack: LocalStack, plan: Plan, outcome: Outcome) -> None:
    for victim, pause in plan.kills:
        await asyncio.sleep(pause)
        before = stack.kill(victim)
        outcome.recovered.append((victim, await stack.ready_again(victim, before)))
    await asyncio.sleep(FIRST_PAUSE_SECONDS[0])


async def _deliver_all_again(stack: LocalStack) -> None:
    """Set every group back to the beginning of the log, under load: each event comes a second time.

    On Kafka a group's offsets cannot be moved while its members live; the kills repeat what they repeat.
    """
    import events  # noqa: F401 - declares the topics

    bus = await open_transport(BusConfig("postgres", "chaos", postgres_dsn=stack.dsn("bus")))
    try:
        for service in SERVICES:
            await bus.rewind(service, consumed_topics(service), LONG_AGO)
    finally:
        await bus.close()


async def duplicates_skipped(stack: LocalStack) -> dict[str, int]:
    """Return what the inboxes report; a killed process takes its count along, its successor skips anew."""
    found = {}
    for service in SERVICES:
        async with stack.reach.door(service) as door:
            told = (await door.fetch("GET", "/metrics")).decode()
        counts = re.findall(rf"^{_SKIPPED}{{[^}}]*}} ([0-9.e+]+)$", told, re.MULTILINE)
        found[service] = int(sum(map(float, counts)))
    return found


@asynccontextmanager
async def workers(stack: LocalStack, seed: int) -> AsyncIterator[tuple[Sequence[Applicant], Desk]]:
    """Log the persons of a seed in."""
    async with case_workers(stack.reach, APPLICANTS, seed) as found:
        yield found
