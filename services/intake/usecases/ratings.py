"""Rate a case (好差评): one rating per case, a bad one opens a rectification order."""

from __future__ import annotations

import uuid_utils.compat

from chassis.auth.person import ActingPerson
from services.intake.domain.cases.case import Step
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.ratings import (
    CASE_ALREADY_RATED,
    CONTACT,
    RECTIFY,
    Rating,
    Rectification,
    open_rectification,
    rate,
)
from services.intake.usecases.cases.announce import Details
from services.intake.usecases.cases.ports import Work
from services.intake.usecases.cases.record import load_own, record
from standards.working_days import Term


async def rate_case(
    work: Work,
    catalogue: Catalogue,
    actor: ActingPerson,
    case_id: str,
    *,
    grade: int,
    options: tuple[str, ...] = (),
    text: str = "",
    channel: str = "web",
) -> tuple[Rating, Rectification | None]:
    """Rate an own submitted case once, 1 to 5; 1 and 2 need a reason and open an order.

    Raises INVALID_REQUEST naming everything wrong, CASE_NOT_FOUND, CASE_NOT_SUBMITTED, CASE_ALREADY_RATED.
    """
    case = await load_own(work, actor, case_id, lock=True)
    case.require_submitted()
    if case.rated_at is not None:
        raise CASE_ALREADY_RATED()
    now = work.now()
    rating = rate(case_id, grade, options, text, channel, now)
    order = _order(rating, catalogue) if rating.bad else None
    case.rated_at = now
    case.record(Step.RATED, now)
    if order is not None:
        case.record(Step.RECTIFICATION_OPENED, now)
    await work.ratings.add(rating, order)
    await record(work, case, Details(rating=rating, order=order))
    return rating, order


def _order(rating: Rating, catalogue: Catalogue) -> Rectification:
    return open_rectification(
        rating,
        str(uuid_utils.compat.uuid7()),
        catalogue.calendar,
        _term(catalogue, "rating_contact", CONTACT),
        _term(catalogue, "rating_fix", RECTIFY),
    )


def _term(catalogue: Catalogue, key: str, default: Term) -> Term:
    timer = catalogue.timers.get(key)
    return timer.term if timer is not None and timer.term is not None else default
