"""The one way a changed case is saved: rows, events, timeline and feeds in one transaction."""

from __future__ import annotations

from chassis.auth.person import ActingPerson
from services.intake.domain.cases.case import CASE_NOT_FOUND, Case
from services.intake.domain.cases.plan import require_level
from services.intake.usecases.cases.announce import Details, changes_of, entry_of, event_of
from services.intake.usecases.cases.mandates import mandate_of, principal_of, require_mandate
from services.intake.usecases.cases.ports import Work

_NO_DETAILS = Details()


async def record(work: Work, case: Case, details: Details = _NO_DETAILS) -> None:
    """Save a case and tell everyone what happened to it.

    The feeds come last: their counters are locked until the commit. Raises ETAG_MISMATCH.
    """
    await work.cases.save(case)
    for step in case.happened:
        work.publish(event_of(case, step, details), step.version)
    await work.timeline.add([entry_of(case, step) for step in case.happened])
    await work.feed.append([change for step in case.happened for change in changes_of(case, step)])
    case.happened.clear()


async def load_own(work: Work, actor: ActingPerson, case_id: str, *, lock: bool = False) -> Case:
    """Return a case of whom the actor acts for, or one that they conduct as its applicant's agent.

    Raises CASE_NOT_FOUND for anyone else's, as for none; for an agent ENTRUSTMENT_NOT_IN_FORCE.
    """
    case = await work.cases.load(case_id, lock=lock)
    if case is None:
        raise CASE_NOT_FOUND()
    if case.person_id != principal_of(actor):
        require_mandate(work, case, await mandate_of(work, actor, case))
    return case


async def load_to_act(work: Work, actor: ActingPerson, case_id: str, *, lock: bool = True) -> Case:
    """Return an own case for an act on it: one that its items' real-name level is demanded for.

    Raises CASE_NOT_FOUND, REAL_NAME_LEVEL_TOO_LOW for a weaker log-in than the items ask for.
    """
    case = await load_own(work, actor, case_id, lock=lock)
    require_level(case.plan, actor.assurance)
    return case
