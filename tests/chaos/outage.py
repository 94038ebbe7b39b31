"""One seeded run: case work at the public doors while processes are killed, then evidence for the checker.

The seed picks who is killed, in which order and when; run it again and the same is done again.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.chaos.evidence import Evidence, consumed_events, read_evidence, rows
from tests.chaos.invariants import check
from tests.stacks.applicants import Applicant, Desk, carry_through, case_workers
from tests.stacks.local import SERVICES, LocalStack

APPLICANTS = 4
FIRST_PAUSE_SECONDS = (0.3, 2.0)
"""Between the last process' return and the next kill; the seed chooses within."""
THINKING_SECONDS = (0.1, 0.6)
"""What an applicant waits between two cases: load enough to hit work in flight, and a stack that keeps up."""
SETTLE_SECONDS = 150.0
"""A message whose sender died is asked for again after 60 s (SENDING_LEASE); all else is quicker."""
_POLL_SECONDS = 0.3
_SKIPPED = "tongban_inbox_duplicates_total"


@dataclass(frozen=True)
class Plan:
    """What a seed does: the victims in order, and the pause before each kill in seconds."""

    seed: int
    kills: tuple[tuple[str, float], ...]


def plan(seed: int) -> Plan:
    """Return the plan of a seed: each service once, in an order and at moments of its own."""
    rng = random.Random(seed)
    victims = rng.sample(SERVICES, len(SERVICES))
    return Plan(seed, tuple((victim, rng.uniform(*FIRST_PAUSE_SECONDS)) for victim in victims))


@dataclass
class Outcome:
    """What happened in a run."""

    plan: Plan
    recovery_seconds: dict[str, float] = field(default_factory=dict)
    settled_seconds: float = 0.0
    skipped: dict[str, int] = field(default_factory=dict)
    """Deliveries that each service's present process had seen before and skipped."""
    evidence: Evidence = field(default_factory=Evidence)
    problems: list[str] = field(default_factory=list)

    def report(self) -> str:
        """Return the run in one line."""
        back = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.recovery_seconds.items())
        counts = ", ".join(f"{name} {count}" for name, count in self.evidence.counts().items())
        return (
            f"seed {self.plan.seed}: kills {len(self.recovery_seconds)}, back after seconds: {back};"
            f" settled after {self.settled_seconds:.1f} s; {counts};"
            f" duplicates skipped {sum(self.skipped.values())}; problems {len(self.problems)}"
        )


async def run_seed(stack: LocalStack, workers: tuple[Sequence[Applicant], Desk], plan: Plan) -> Outcome:
    """Do a plan under load, let everything settle, and judge what all runs on this stack left behind."""
    outcome, (applicants, desk), over = Outcome(plan), workers, asyncio.Event()

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
        finally:
            over.set()
    began = time.monotonic()
    await settled(stack)
    outcome.settled_seconds = time.monotonic() - began
    kafka = stack.state.kafka_bootstrap
    outcome.evidence = await read_evidence(stack.dsn, kafka)
    outcome.skipped = await duplicates_skipped(stack)
    for applicant in applicants:
        outcome.evidence.receipts.update(applicant.receipts)
    outcome.problems = check(outcome.evidence)
    return outcome


async def _carry_out(stack: LocalStack, plan: Plan, outcome: Outcome) -> None:
    for victim, pause in plan.kills:
        await asyncio.sleep(pause)
        before = stack.kill(victim)
        outcome.recovery_seconds[victim] = await stack.ready_again(victim, before)
    await asyncio.sleep(FIRST_PAUSE_SECONDS[0])


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


_OPEN = {
    "intake": """select count(*) from service_case
        where submitted_at is not null and (state <> 'closed' or archived_at is null)""",
    "certs": "select count(*) from licence where status = 'pending_seal'",
    "notify": "select count(*) from message where state not in ('sent', 'delivered')",
}
_UNPUBLISHED = "select count(*) from event_log where published_at is null"


async def settled(stack: LocalStack, seconds: float = SETTLE_SECONDS) -> None:
    """Return once nothing more is on its way, or when the time is over: the checker then says what hangs."""
    deadline = time.monotonic() + seconds
    quiet = 0
    while quiet < 2 and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        quiet = quiet + 1 if not await _waiting(stack) else 0


async def _waiting(stack: LocalStack) -> bool:
    for service in SERVICES:
        queries = [_UNPUBLISHED, *([_OPEN[service]] if service in _OPEN else [])]
        for query in queries:
            if (await rows(stack.dsn(service), query))[0][0]:
                return True
    return any((await _unheard(stack)).values())


async def _unheard(stack: LocalStack) -> dict[str, int]:
    """Return for each service how many events it handles and has not heard yet."""
    published: dict[str, set[str]] = {}
    for service in SERVICES:
        for row in await rows(stack.dsn(service), "select event_id::text, type from event_log"):
            published.setdefault(row["type"].split(".")[1], set()).add(row["event_id"])
    missing = {}
    for service in SERVICES:
        heard = {row[0] for row in await rows(stack.dsn(service), "select event_id::text from inbox")}
        wanted = set().union(*(published.get(name, set()) for name in consumed_events(service)))
        missing[service] = len(wanted - heard)
    return missing
