"""What a fault is tried on: a stack with people at work, the calls they make, and the verdict afterwards."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from chassis.clock import Clock, system_clock
from chassis.errors import Fault
from chassis.rpc.peer import Peer
from cli.clients.department import Department
from cli.clients.door import Door
from cli.local.authority import open_authority
from cli.reach import Reach
from tests.chaos.evidence import Evidence, read_evidence
from tests.chaos.invariants import check
from tests.stacks.applicants import Applicant, Arrive, Desk, carry_through, open_hall
from tests.stacks.local import LocalStack
from tests.stacks.settling import settled

THINKING_SECONDS = (0.1, 0.6)
"""What an applicant waits between two cases: load enough to hit work in flight, and a stack that keeps up."""
SETTLE_SECONDS = 150.0
"""A message whose sender died is asked for again after 60 s (SENDING_LEASE); all else is quicker."""
CALLER_SECONDS = 20.0
"""How long our clients wait for one answer (cli.clients)."""
CASES_OF_ONE = 60
"""After so many cases others come in a person's place: intake takes 200 uploads of one person in an hour."""
MARGIN_SECONDS = 2.0
"""A machine under load, on top of a deadline."""


@dataclass
class Calls:
    """Every single call that people made, retries included."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """Reason code, or ``answered`` → calls."""
    longest_seconds: float = 0.0
    cut_off: list[str] = field(default_factory=list)
    """Calls whose connection broke before the answer: what, in words."""

    @contextmanager
    def noted(self, what: str) -> Iterator[None]:
        """Count the call of the block and how long it took."""
        began, outcome = time.monotonic(), "answered"
        try:
            yield
        except Fault as problem:
            outcome = problem.code
            if isinstance(problem.__cause__, httpx.RemoteProtocolError | httpx.ReadError):
                self.cut_off.append(f"{what}: {type(problem.__cause__).__name__}")
            raise
        finally:
            self.outcomes[outcome] += 1
            self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)

    def clear(self) -> None:
        """Begin anew, for another fault."""
        self.outcomes.clear()
        self.cut_off.clear()
        self.longest_seconds = 0.0

    def total(self) -> int:
        """Return how many calls there were."""
        return self.outcomes.total()

    def words(self) -> str:
        """Return the outcomes in one line."""
        return ", ".join(f"{code} {count}" for code, count in self.outcomes.most_common())


class _WatchedDoor(Door):
    def __init__(self, name: str, address: str, calls: Calls) -> None:
        super().__init__(name, address)
        self._calls = calls

    async def ask(self, method: str, path: str, **given: Any) -> Any:
        """Return the JSON of an answer."""
        with self._calls.noted(f"{method} {path}"):
            return await super().ask(method, path, **given)


class _WatchedDepartment(Department):
    calls: Calls

    async def _intake(self, method: str, request: Any) -> Any:
        with self.calls.noted(method):
            return await super()._intake(method, request)


@dataclass(frozen=True, slots=True)
class WatchedReach(Reach):
    """The public doors, every call through them counted and timed."""

    calls: Calls = field(default_factory=Calls)

    def door(self, service: str) -> Door:
        """Return a service's HTTP door."""
        return _WatchedDoor(service, f"http://{self.state.services[service].http}", self.calls)

    def department(self, uscc: str) -> Department:
        """Return a department's system."""
        tls = open_authority(self.layout.certificates).identity(Peer("department", uscc))
        addresses = {name: self.state.services[name].grpc for name in ("intake", "certs", "seal")}
        found = _WatchedDepartment(uscc, tls, addresses)
        found.calls = self.calls
        return found


@dataclass
class Ground:
    """A running stack and the people who work on it."""

    stack: LocalStack
    applicants: Sequence[Applicant]
    desk: Desk
    arrive: Arrive
    calls: Calls
    before: Sequence[Applicant] = ()
    """Those whose cases are there too, but who work no more."""
    clock: Clock = system_clock
    """What time it is for the services."""
    made_good: frozenset[str] = frozenset()
    """Refusals of seal that a later use of the same seal makes good; without one the licence counts as never sealed."""
    cases: int = 0
    sound: bool = True
    """Whether the last fault left nothing behind; else the next one gets a fresh stack."""

    @asynccontextmanager
    async def under_load(
        self, seed: int, thinking_seconds: tuple[float, float] = THINKING_SECONDS
    ) -> AsyncIterator[None]:
        """Have everybody carry cases through during the block; cases begun in it are approved at its end.

        A call that fails for a passing reason is repeated as the contract says; any other failure ends the block.
        """
        over = asyncio.Event()

        async def work(number: int, applicant: Applicant) -> None:
            rng = random.Random(f"{seed}/{number}")
            while not over.is_set():
                await carry_through(applicant, self.desk)
                self.cases += 1
                await asyncio.sleep(rng.uniform(*thinking_seconds))

        async with asyncio.TaskGroup() as working:
            for each in enumerate(self.applicants):
                working.create_task(work(*each))
            try:
                yield
            finally:
                over.set()

    async def verdict(self, seconds: float = SETTLE_SECONDS) -> Verdict:
        """Wait until nothing is on its way, then judge what all work since the stack's start left behind."""
        began, problems, self.sound = time.monotonic(), list[str](), False
        if not await settled(self.stack, seconds, self.clock):
            problems.append(f"not settled after {seconds:.0f} s")
        took = time.monotonic() - began
        evidence = await read_evidence(self.stack.dsn, self.stack.state.kafka_bootstrap)
        for applicant in self.everybody():
            evidence.receipts.update(applicant.receipts)
        evidence.ledger = [each for each in evidence.ledger if each[2] not in self.made_good]
        problems += check(evidence)
        self.sound = not problems
        if self.sound:
            await self._relieve()
        if problems:  # the stack's directory is gone when somebody reads the report
            for name in self.stack.state.services:
                print(f"--- {name}\n{self.stack.log(name, 6_000)}")
        return Verdict(took, evidence, problems)

    def everybody(self) -> tuple[Applicant, ...]:
        """Return all whose cases are on this stack."""
        return (*self.before, *self.applicants)

    async def _relieve(self) -> None:
        if max(len(each.receipts) for each in self.applicants) >= CASES_OF_ONE:
            self.before = self.everybody()
            self.applicants = await self.arrive(len(self.applicants))


@dataclass
class Verdict:
    """What was found after a fault."""

    settled_seconds: float
    evidence: Evidence
    problems: list[str]

    def assert_sound(self, told: str) -> None:
        """Fail with what happened and what is wrong."""
        assert self.evidence.cases, "no case was handed in: this run proves nothing"
        assert self.problems == [], f"{told}: {self.problems[:20]}"


@asynccontextmanager
async def working(
    stack: LocalStack,
    seed: int,
    people: int = 4,
    *,
    reach: WatchedReach | None = None,
    before: Sequence[Applicant] = (),
    clock: Clock = system_clock,
    made_good: frozenset[str] = frozenset(),
) -> AsyncIterator[Ground]:
    """Log people in on a running stack; ``before`` are those whose cases are there already."""
    chosen = reach or WatchedReach(stack.layout, stack.state)
    async with open_hall(chosen, seed) as (arrive, desk):
        applicants = await arrive(people)
        chosen.calls.clear()
        yield Ground(stack, applicants, desk, arrive, chosen.calls, before, clock, made_good)


def tell(fault: str, seed: int, ground: Ground, verdict: Verdict, **measured: object) -> str:
    """Print and return one line: the fault, its seed and how to repeat it, what was measured."""
    numbers = ", ".join(
        f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in measured.items()
    )
    line = (
        f"{fault}, seed {seed}: {numbers}; settled after {verdict.settled_seconds:.1f} s;"
        f" {verdict.evidence.counts()}; calls {ground.calls.total()} ({ground.calls.words()}),"
        f" longest {ground.calls.longest_seconds:.1f} s; problems {len(verdict.problems)}"
        f" (repeat: pytest tests/chaos -k {fault.split(maxsplit=1)[0]} --seeds 1 --first-seed {seed})"
    )
    print(f"\n{line}")
    return line
