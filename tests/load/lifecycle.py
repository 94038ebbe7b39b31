"""Case work through the real stack's public doors: how many cases a second, how soon an approval is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

import asyncpg

from cli.clients.citizen import new_key
from tests.load.measured import Measured, Missing, percentiles
from tests.stacks.applicants import Applicant, Desk, case_workers, draft, parts_of, submit
from tests.stacks.local import LocalStack, local_stack
from tests.stacks.settling import settled

APPLICANTS = 6
APPROVALS = 40
PAUSE_SECONDS = 0.5
"""Between two approvals that are timed: the stack is otherwise idle."""
TOLD_SECONDS = 60.0
WARM_UP_CASES = 4
Note = Callable[[str], None]


async def case_work(names: tuple[str, ...], seconds: float, note: Note) -> AsyncIterator[Measured | Missing]:
    """Measure what is asked for on one stack with the PostgreSQL bus."""
    note("starting the stack")
    async with local_stack() as stack:
        note("logging in")
        async with case_workers(stack.reach, APPLICANTS, seed=1) as (applicants, desk):
            note("warming up")
            await asyncio.gather(*(whole_case(each, desk) for each in applicants[:WARM_UP_CASES]))
            if "approve_to_told" in names:
                note(f"{APPROVALS} approvals, one at a time")
                yield await approve_to_told(stack, applicants, desk)
            if "case_lifecycle" in names:
                note(f"{APPLICANTS} applicants at a time")
                yield await case_lifecycle(stack, applicants, desk, seconds)


async def whole_case(applicant: Applicant, desk: Desk) -> float:
    """Take a case from nothing to its approval; return the seconds that took."""
    began = time.monotonic()
    case = await draft(applicant)
    await submit(applicant, case["case_id"], new_key())
    for part_id in parts_of(case):
        await desk.accept(part_id)
        await desk.approve(part_id)
    return time.monotonic() - began


async def case_lifecycle(
    stack: LocalStack, applicants: Sequence[Applicant], desk: Desk, seconds: float
) -> Measured:
    """Return whole cases a second: draft with its materials, submit, accept, decide; every event still flows."""
    took: list[float] = []
    before = await _count(stack, "select count(*) from service_case where submitted_at is not null")
    began = time.monotonic()
    ends = began + seconds

    async def work(applicant: Applicant) -> None:
        while time.monotonic() < ends:
            took.append(await whole_case(applicant, desk))

    await asyncio.gather(*(work(each) for each in applicants))
    span = time.monotonic() - began
    drained = await settled(stack, TOLD_SECONDS)
    drained_seconds = round(time.monotonic() - began - span, 1) if drained else None
    return Measured(
        "case_lifecycle",
        round(len(took) / span, 2),
        "cases/s",
        **percentiles(took),
        rows=before,
        detail={
            "rows": "cases stored before",
            "calls_per_case": 8,
            "applicants_at_a_time": len(applicants),
            "latency": "one whole case: create, two materials, submit, read, accept, read, decide",
            "cases": len(took),
            "drained_seconds": drained_seconds,
            "drained": "from the last decision until every licence is in force, every text sent, every case archived",
        },
    )


async def approve_to_told(stack: LocalStack, applicants: Sequence[Applicant], desk: Desk) -> Measured:
    """Return how long after the answer to DecidePart the licence is in force and its text with the provider."""
    to_force: list[float] = []
    to_told: list[float] = []
    for number in range(APPROVALS):
        applicant = applicants[number % len(applicants)]
        case = await draft(applicant)
        await submit(applicant, case["case_id"], new_key())
        (part_id,) = parts_of(case)
        await desk.accept(part_id)
        await desk.approve(part_id)
        answered = time.time()
        in_force, told = await _told(stack, case["case_id"])
        to_force.append(in_force - answered)
        to_told.append(told - answered)
        await asyncio.sleep(PAUSE_SECONDS)
    seconds = percentiles(to_told)
    return Measured(
        "approve_to_told",
        round(seconds["p50_ms"] / 1000, 3),
        "s",
        **seconds,
        rows=APPROVALS,
        detail={
            "rows": "approvals timed, one at a time",
            "latency": "DecidePart answered until the text that the licence is in force is with the provider",
            "until_in_force": percentiles(to_force),
        },
    )


_IN_FORCE = "select updated_at from licence where case_id = $1 and status = 'valid'"
_TOLD = """select s.taken_at from message m join sandbox_sms s using (message_id)
    where m.case_id = $1 and m.template_code = 'licence-issued'"""


async def _told(stack: LocalStack, case_id: str) -> tuple[float, float]:
    """Wait until the applicant was told; return when the licence came into force and when the text left."""
    deadline = time.monotonic() + TOLD_SECONDS
    notify, certs = await asyncpg.connect(stack.dsn("notify")), await asyncpg.connect(stack.dsn("certs"))
    try:
        while time.monotonic() < deadline:
            told = await notify.fetchval(_TOLD, case_id)
            if told is not None:
                in_force = await certs.fetchval(_IN_FORCE, case_id)
                return in_force.timestamp(), told.timestamp()
            await asyncio.sleep(0.02)
    finally:
        await notify.close()
        await certs.close()
    raise TimeoutError(f"case {case_id}: the applicant was not told within {TOLD_SECONDS} s")


async def _count(stack: LocalStack, query: str) -> int:
    connection = await asyncpg.connect(stack.dsn("intake"))
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()
