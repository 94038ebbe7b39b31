"""After submitting, the applicant's side: answer a supplement, withdraw."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from chassis.auth.person import ActingPerson
from chassis.errors import Fault
from services.intake.domain.cases.case import Case
from services.intake.usecases.cases.mandates import lapsed_supplies
from services.intake.usecases.cases.ports import Licences, OpenWork, Work
from services.intake.usecases.cases.record import load_to_act, record
from standards.persons import named


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A withdrawn case, and whether the registry has taken its use-codes back already."""

    case: Case
    use_codes_revoked: bool


async def answer_supplement(work: Work, actor: ActingPerson, case_id: str) -> Case:
    """Hand in, all at once, what was put together for every part that asked.

    Raises NO_SUPPLEMENT_ASKED, INVALID_REQUEST naming everything still missing, CASE_NOT_FOUND,
    REAL_NAME_LEVEL_TOO_LOW.
    """
    case = await load_to_act(work, actor, case_id)
    for code in await lapsed_supplies(work, case.staged_supplies):
        del case.staged_supplies[code]  # its use-codes went with the entrustment: it is missing again
    case.answer_supplement(work.now())
    await record(work, case)
    return case


async def withdraw(
    open_work: OpenWork, licences: Licences, actor: ActingPerson, case_id: str, *, reason: str = ""
) -> Withdrawal:
    """Withdraw an own case before any decision, then take its use-codes back; repeating is harmless.

    The withdrawal stands even when the registry cannot be asked: it takes the codes back when it hears
    of the withdrawal, and a repeat tries again. Raises CASE_NOT_FOUND, CASE_NOT_SUBMITTED,
    WITHDRAWAL_TOO_LATE, REAL_NAME_LEVEL_TOO_LOW.
    """
    async with open_work() as work:
        case = await load_to_act(work, actor, case_id)
        if case.withdraw(work.now()):
            await record(work, case)
    said = reason.strip() if named(reason) else "申请人撤回申请"  # what says nothing the registry refuses
    request_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"tongban:withdraw:{case_id}:{said}"))
    try:
        await licences.revoke_use_codes(case_id, said, request_id)
    except Fault:
        return Withdrawal(case, use_codes_revoked=False)
    return Withdrawal(case, use_codes_revoked=True)
