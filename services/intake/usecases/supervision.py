"""What time itself does to cases: deemed acceptance, and deadlines that waited for a calendar year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from chassis.errors import Fault
from services.intake.domain.cases.deadlines import DEEMED_ACCEPTANCE, deemed_accepted
from services.intake.domain.cases.states import PartState
from services.intake.domain.catalogue.model import Catalogue
from services.intake.usecases.cases.ports import OpenWork
from services.intake.usecases.cases.record import record
from standards.working_days import Term

SWEEP_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Swept:
    """How many parts a sweep changed, and which it could not, with the reason's code."""

    changed: int
    failed: tuple[tuple[str, str], ...] = ()


async def accept_silent_parts(
    open_work: OpenWork, catalogue: Catalogue, *, limit: int = SWEEP_LIMIT
) -> Swept:
    """Accept parts whose department was silent for five working days (许可法 32 (4)).

    Acceptance counts from the day of receipt. Each part is a transaction of its own, so that one that
    cannot be accepted stops no other.
    """
    term = _silence(catalogue)
    async with open_work() as work:
        silent = await work.cases.silent_parts(work.now() - timedelta(days=term.length), limit)
    changed, failed = 0, list[tuple[str, str]]()
    for case_id, part_id in silent:
        try:
            changed += await _accept_silent(open_work, catalogue, term, case_id, part_id)
        except Fault as fault:
            failed.append((part_id, fault.code))
    return Swept(changed, tuple(failed))


async def fill_pending_deadlines(
    open_work: OpenWork, catalogue: Catalogue, *, limit: int = SWEEP_LIMIT
) -> int:
    """Compute the deadlines that a newly loaded calendar year allows; return how many parts changed."""
    done, after = 0, ""
    while True:
        async with open_work() as work:
            page = await work.cases.pending_deadlines(limit, after=after)
        for case_id, part_id in page:
            done += await _fill(open_work, catalogue, case_id, part_id)
        if len(page) < limit:
            return done
        after = page[-1][1]


async def _accept_silent(
    open_work: OpenWork, catalogue: Catalogue, term: Term, case_id: str, part_id: str
) -> bool:
    async with open_work() as work:
        case = await work.cases.load(case_id, lock=True)
        part = case.part(part_id) if case else None
        if case is None or part is None or part.state is not PartState.SUBMITTED or part.received_at is None:
            return False
        if not deemed_accepted(part.received_at, work.now(), catalogue.calendar, term):
            return False
        case.deem_accepted(part_id, work.now(), catalogue.calendar)
        await record(work, case)
        return True


async def _fill(open_work: OpenWork, catalogue: Catalogue, case_id: str, part_id: str) -> bool:
    async with open_work() as work:
        case = await work.cases.load(case_id, lock=True)
        if case is None or not case.part(part_id).load_calendar(catalogue.calendar):
            return False
        await record(work, case)
        return True


def _silence(catalogue: Catalogue) -> Term:
    timer = catalogue.timers.get("correction_notice")
    return timer.term if timer is not None and timer.term is not None else DEEMED_ACCEPTANCE
