"""Ratings 好差评 (GB/T 39734): one per case; a bad one needs a reason and opens a rectification order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from chassis.errors import FIELD_MALFORMED, FIELD_TOO_LONG, Kind, Violation, declare, refuse
from services.intake.domain.cases.deadlines import deadline
from standards.working_days import Term, TermUnit, WorkingCalendar

WORST, BEST, WORST_GOOD = 1, 5, 3
"""非常不满意 1 … 非常满意 5; 1 and 2 are bad (差评)."""
TEXT_LIMIT = 500
MAX_OPTIONS = 10
CONTACT = Term(1, TermUnit.WORKING_DAY)
RECTIFY = Term(15, TermUnit.WORKING_DAY)

GRADE_UNKNOWN = declare(
    "GRADE_UNKNOWN", Kind.INVALID_ARGUMENT, "请在 1 至 5 星之间选择", "Choose a grade from 1 to 5"
)
BAD_RATING_NEEDS_REASON = declare(
    "BAD_RATING_NEEDS_REASON",
    Kind.INVALID_ARGUMENT,
    "请勾选一项原因或填写说明",
    "Tick a reason or write one",
)
OPTION_OF_OTHER_GRADE = declare(
    "OPTION_OF_OTHER_GRADE",
    Kind.INVALID_ARGUMENT,
    "该选项不属于所选等级",
    "This option belongs to another grade",
)
CASE_ALREADY_RATED = declare(
    "CASE_ALREADY_RATED", Kind.FAILED_PRECONDITION, "该办件已评价（一事一评）", "The case was rated already"
)

_OPTION = re.compile(r"[1-5][0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rating:
    """A rating (评价); ``options`` are three-digit codes whose first digit is the grade."""

    case_id: str
    grade: int
    options: tuple[str, ...]
    text: str
    channel: str
    rated_at: datetime

    @property
    def bad(self) -> bool:
        """Whether it is a 差评."""
        return self.grade < WORST_GOOD


@dataclass(frozen=True, slots=True)
class Rectification:
    """A rectification order (整改工单); a due day is None while the calendar year is not loaded."""

    order_id: str
    case_id: str
    contact_due: date | None
    rectify_due: date | None
    calendar_version: str
    opened_at: datetime


def rate(
    case_id: str, grade: int, options: tuple[str, ...], text: str, channel: str, now: datetime
) -> Rating:
    """Return a rating. Raises INVALID_REQUEST naming everything that is wrong with it."""
    written = text.strip()
    found: list[Violation] = []
    if not WORST <= grade <= BEST:
        found.append(GRADE_UNKNOWN.at("grade"))
    if len(written) > TEXT_LIMIT:
        found.append(FIELD_TOO_LONG.at("text", limit=TEXT_LIMIT))
    if len(options) > MAX_OPTIONS:
        found.append(FIELD_TOO_LONG.at("options", limit=MAX_OPTIONS))
    for index, option in enumerate(options[:MAX_OPTIONS]):
        if not _OPTION.fullmatch(option):
            found.append(FIELD_MALFORMED.at(f"options[{index}]"))
        elif option[0] != str(grade):
            found.append(OPTION_OF_OTHER_GRADE.at(f"options[{index}]"))
    if WORST <= grade < WORST_GOOD and not options and not written:
        found.append(BAD_RATING_NEEDS_REASON.at("text"))
    refuse(found)
    return Rating(case_id, grade, tuple(dict.fromkeys(options)), written, channel, now)


def open_rectification(
    rating: Rating,
    order_id: str,
    calendar: WorkingCalendar,
    contact: Term = CONTACT,
    rectify: Term = RECTIFY,
) -> Rectification:
    """Return the order a bad rating opens: contact within 1, mend within 15 working days by default."""
    contact_by = deadline(calendar, rating.rated_at, contact)
    rectify_by = deadline(calendar, rating.rated_at, rectify)
    return Rectification(
        order_id, rating.case_id, contact_by.due, rectify_by.due, calendar.version, rating.rated_at
    )
