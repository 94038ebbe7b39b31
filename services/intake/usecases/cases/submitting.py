"""Hand a case in: one transaction, all checks, number, receipt, event, the departments' feeds."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.auth.person import ActingPerson
from chassis.errors import TOO_MANY_REQUESTS, refuse
from services.intake.domain.cases.case import CASE_ALREADY_SUBMITTED, Case
from services.intake.domain.cases.deadlines import china_date
from services.intake.domain.cases.part import Part
from services.intake.domain.cases.submission import (
    RECEIPT_KIND,
    cleaned_form,
    handed_in,
    problems,
    receipt_document,
)
from services.intake.usecases.cases.digest import canonical_digest
from services.intake.usecases.cases.mandates import lapsed_supplies
from services.intake.usecases.cases.ports import SignDocument, Work
from services.intake.usecases.cases.record import load_to_act, record
from standards.identifiers import build_case_number

BACKLOG_LIMIT = 20_000
"""Events waiting for the bus above which nothing more is taken in; about a minute of relaying."""
RETRY_AFTER_SECONDS = 15.0
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt (收件凭证): what it says, and the compact JWS anyone can verify."""

    case_id: str
    case_no: str
    submitted_at: datetime
    document: dict[str, Any]
    signed: str


async def submit(
    work: Work,
    sign: SignDocument,
    actor: ActingPerson,
    case_id: str,
    *,
    backlog_limit: int = BACKLOG_LIMIT,
) -> Receipt:
    """Hand an own draft in; its parts are with their departments when the transaction commits.

    Raises INVALID_REQUEST naming everything that stands against it, CASE_ALREADY_SUBMITTED with the
    number, CASE_NOT_FOUND, REAL_NAME_LEVEL_TOO_LOW for a weaker log-in than the items ask for,
    TOO_MANY_REQUESTS with a time to come back while the bus is far behind.
    """
    if await work.unsent_events(backlog_limit + 1) > backlog_limit:
        raise TOO_MANY_REQUESTS(retry_after_seconds=RETRY_AFTER_SECONDS)
    case = await load_to_act(work, actor, case_id)
    if case.submitted_at is not None:
        raise CASE_ALREADY_SUBMITTED(case_no=case.case_no)
    now = work.now()
    refuse(problems(case, now, await lapsed_supplies(work, case.supplies)))
    case.form = cleaned_form(case.plan, case.form)
    numbers = await _numbers(work, case, now)
    case_no = numbers[case.plan.number_prefix]
    case.submit(case_no, lambda part: numbers[part.item.item_code], now)
    case.salt = secrets.token_hex(_SALT_BYTES)
    case.digest = canonical_digest(handed_in(case))
    document = receipt_document(case, case.digest)
    case.receipt = sign(document, RECEIPT_KIND)
    await record(work, case)
    return Receipt(case.case_id, case_no, now, document, case.receipt)


def preview_problems(case: Case, now: datetime) -> list[dict[str, str]]:
    """Return what still stands against submitting, for a page that shows it before the button."""
    return [
        {"field": each.field_path, "reason": each.reason.code, "zh": each.zh, "en": each.en}
        for each in problems(case, now)
    ]


async def _numbers(work: Work, case: Case, now: datetime) -> dict[str, str]:
    """Return a number for the case and one for each part, by prefix; one item alone has one number.

    Counters are taken in one order by every transaction, so that none waits for another in a circle.
    """
    day = china_date(now)
    prefixes = sorted({case.plan.number_prefix, *(_prefix(part) for part in case.parts)})
    return {
        prefix: build_case_number(prefix, day, await work.cases.next_sequence(prefix, day))
        for prefix in prefixes
    }


def _prefix(part: Part) -> str:
    return part.item.item_code
