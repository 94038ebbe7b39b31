"""Agents in cases: under which entrustment of whom somebody acts who is not the applicant.

Whoever is not the agent of an entrustment learns nothing of it. Whether a licence may be used under it is the
registry's answer, which is on record for its holder; what else an agent may do is decided here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from chassis.auth.person import ActingPerson
from services.intake.domain.cases.applicant import Applicant
from services.intake.domain.cases.case import CASE_NOT_FOUND, Case
from services.intake.domain.cases.materials import Supplied
from services.intake.domain.entrustment import ENTRUSTMENT_NOT_FOUND, Entrustment, EntrustmentState, Power
from services.intake.usecases.cases.ports import Work

LIST_LIMIT = 100
"""Entrustments whose cases an agent's list shows: more than anybody acts under at a time."""


def principal_of(actor: ActingPerson) -> str:
    """Return for whom the actor acts: an organisation they represent, or themselves."""
    return actor.acting_for or actor.person_id


async def received(work: Work, actor: ActingPerson, entrustment_id: str) -> Entrustment:
    """Return an entrustment to whom the actor acts for, however it stands. Raises ENTRUSTMENT_NOT_FOUND."""
    given, agent = await _given_to(work, actor, entrustment_id)
    if given is None or agent is None:
        raise ENTRUSTMENT_NOT_FOUND()
    return given


async def mandated_applicant(
    work: Work, actor: ActingPerson, entrustment_id: str, item_codes: Collection[str]
) -> str:
    """Return in whose name an agent begins a case of some items: the grantor.

    Raises ENTRUSTMENT_NOT_FOUND, ENTRUSTMENT_NOT_IN_FORCE, ENTRUSTMENT_NOT_COVERING.
    """
    given = await received(work, actor, entrustment_id)
    given.require_power(Power.APPLY, item_codes, work.now())
    return given.grantor_id


async def mandate_of(work: Work, actor: ActingPerson, case: Case) -> Entrustment:
    """Return under which entrustment the actor knows of a case of somebody else. Raises CASE_NOT_FOUND."""
    given, agent = await _given_to(work, actor, case.entrustment_id)
    if given is None or agent is None or given.grantor_id != case.person_id:
        raise CASE_NOT_FOUND()
    return given


def require_mandate(work: Work, case: Case, given: Entrustment) -> None:
    """Do nothing while an agent may conduct a case. Raises ENTRUSTMENT_NOT_IN_FORCE, ENTRUSTMENT_NOT_COVERING."""
    given.require_power(Power.APPLY, [item.item_code for item in case.plan.items], work.now())


async def mandates(work: Work, actor: ActingPerson) -> Collection[str]:
    """Return the ids of entrustments under whose power the actor conducts cases now."""
    agent = await work.persons.load(principal_of(actor))
    return await work.persons.entrusted_to_apply(agent, work.now(), LIST_LIMIT) if agent else ()


async def lapsed_supplies(work: Work, supplies: Mapping[str, Supplied]) -> frozenset[str]:
    """Return the materials whose licence was chosen under an entrustment that is no more in force."""
    supplied = {code: each.entrustment_id for code, each in supplies.items() if each.entrustment_id}
    standing = {name: await work.persons.entrustment(name) for name in set(supplied.values())}
    now = work.now()
    alive = {
        name for name, given in standing.items() if given and given.state(now) is EntrustmentState.IN_FORCE
    }
    return frozenset(code for code, name in supplied.items() if name not in alive)


async def _given_to(
    work: Work, actor: ActingPerson, entrustment_id: str
) -> tuple[Entrustment | None, Applicant | None]:
    if not entrustment_id:
        return None, None
    given, agent = (
        await work.persons.entrustment(entrustment_id),
        await work.persons.load(principal_of(actor)),
    )
    if given is None or agent is None or not given.is_to((agent.id_type_code, agent.id_number)):
        return None, None
    return given, agent
