"""Whose licences may be asked for in a case: the applicant's, the business's, an entrusting holder's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chassis.auth.person import ActingPerson
from services.intake.domain.cases.applicant import UNIFIED_CODE, Applicant
from services.intake.domain.cases.case import CASE_NOT_FOUND, Case
from services.intake.domain.cases.plan import ItemPlan
from services.intake.domain.catalogue.items import MaterialHolder
from services.intake.domain.entrustment import ENTRUSTMENT_NOT_COVERING, Entrustment
from services.intake.usecases.cases.mandates import mandate_of, principal_of, received, require_mandate
from services.intake.usecases.cases.ports import Agency, Work


@dataclass(frozen=True, slots=True)
class Source:
    """Whose licences may be asked for, and under which entrustment of theirs if it is not by themselves."""

    holder: tuple[str, str] = field(repr=False)
    given: Entrustment | None = None
    agency: Agency | None = None

    def covers(self, type_code: str) -> bool:
        """Say whether licences of a type may be asked for."""
        return self.given is None or type_code in self.given.wish.type_codes

    def item_of(self, items: Sequence[ItemPlan], *, covered: bool) -> str:
        """Return an item to ask for, one that is or one that is not entrusted if there is such a one."""
        codes = [item.item_code for item in items]
        named = (each for each in codes if self.given and self.given.covers_item(each) is covered)
        return next(named, codes[0])


Holders = Mapping[MaterialHolder, Source]


async def case_with_holders(
    work: Work, actor: ActingPerson, case_id: str, entrustment_id: str
) -> tuple[Case, Holders]:
    """Return the case and whose licences may be asked for in it.

    The applicant's own are those of the natural person who acts; the business's are those of the
    organisation they act for, or of the one the form names if they represent it. An agent asks for the
    grantor's in place of those; whether the entrustment stands the registry says first, so that it is on record.
    """
    case = await work.cases.load(case_id)
    if case is None:
        raise CASE_NOT_FOUND()
    is_agents = case.person_id != principal_of(actor)
    mandate = await mandate_of(work, actor, case) if is_agents else None
    applicant = await work.persons.load(case.person_id)
    acting = await work.persons.load(actor.person_id)
    if applicant is None or acting is None:
        raise CASE_NOT_FOUND()
    holders = {MaterialHolder.APPLICANT: Source((acting.id_type_code, acting.id_number))}
    if applicant.kind == "legal":
        holders[MaterialHolder.BUSINESS] = Source((applicant.id_type_code, applicant.id_number))
    else:
        uscc = case.plan.named_business(case.form)
        if uscc and await work.persons.represents(actor.person_id, uscc):
            holders[MaterialHolder.BUSINESS] = Source((UNIFIED_CODE, uscc))
    named = await received(work, actor, entrustment_id) if entrustment_id else None
    if mandate is not None and named is not None:
        require_mandate(work, case, mandate)
    for given in (
        mandate,
        named,
    ):  # the mandate's first: nothing of the applicant's is left to be asked for without
        if given is not None:
            holders[_entrusted_part(case, applicant, given)] = await _entrusted(work, actor, given)
    return case, holders


def _entrusted_part(case: Case, applicant: Applicant, given: Entrustment) -> MaterialHolder:
    """Return whose materials a grantor's licences are in a case. Raises ENTRUSTMENT_NOT_COVERING for nobody's."""
    if given.grantor_id == case.person_id and applicant.kind == "natural":
        return MaterialHolder.APPLICANT
    if given.grantor_id == case.person_id or given.grantor == (
        UNIFIED_CODE,
        case.plan.named_business(case.form),
    ):
        return MaterialHolder.BUSINESS
    raise ENTRUSTMENT_NOT_COVERING()


async def _entrusted(work: Work, actor: ActingPerson, given: Entrustment) -> Source:
    if given.recorded_at is None:  # the registry knows nothing to refuse yet
        given.require_in_force(work.now())
    agent = await work.persons.load(principal_of(actor))
    assert agent is not None, "whoever it is given to is known"
    return Source(given.grantor, given, Agency(given.entrustment_id, agent.id_type_code, agent.id_number))


def require_in_force(holders: Holders, now: datetime) -> None:
    """Do nothing while every entrustment that is asked under is in force. Raises ENTRUSTMENT_NOT_IN_FORCE."""
    for source in holders.values():
        if source.given is not None:
            source.given.require_in_force(now)
