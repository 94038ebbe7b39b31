"""Yes, no or unknown about a licence, without a copy of it.

UNKNOWN is an answer: what the registry cannot tell, or may not, is never said to be no. The value that a
licence states stays inside; of fields that are masked only equality may be asked, so that nobody finds a
number digit by digit.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from chassis.clock import CHINA_TIME, china_day
from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Kind, Violation, declare
from services.certs.domain.licence import Licence, Origin
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.licence_type.sights import Sight
from services.certs.domain.purpose import PurposeCategory
from services.certs.domain.status import LicenceStatus, StatusChange
from standards.masking import MaskRule

VALUES_LIMIT = 50
VALUE_LENGTH_LIMIT = 500
FIELD_NAME_LIMIT = 64
PREDICATES_LIMIT = 5

OPERATOR_REQUIRED = declare(
    "OPERATOR_REQUIRED", Kind.INVALID_ARGUMENT, "请指明比较方式", "State how the field is to be compared"
)
ONE_VALUE_NEEDED = declare(
    "ONE_VALUE_NEEDED", Kind.INVALID_ARGUMENT, "此比较方式只需一个值", "This operator takes one value"
)


class Verdict(StrEnum):
    """The three answers."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Operator(StrEnum):
    """How a face field is compared; ``ge`` and ``le`` compare dates and decimal numbers."""

    EQ = "eq"
    IN = "in"
    GE = "ge"
    LE = "le"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class ValidOn:
    """The question whether the licence was in force on a day (in China)."""

    day: date


@dataclass(frozen=True, slots=True)
class Covers:
    """The question whether a face field covers a scope."""

    name: str
    """Short name of the field."""
    operator: Operator
    values: tuple[str, ...] = field(repr=False)


Predicate = ValidOn | Covers


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and the one reason that decided it; the reason tells nothing of the value."""

    verdict: Verdict
    reason: str


HOLDS, DIFFERS = "HOLDS", "DOES_NOT_HOLD"
LICENCE_UNKNOWN = "LICENCE_NOT_FOUND"
NOT_BEGUN, TERM_OVER, NOT_IN_FORCE = "TERM_NOT_BEGUN", "TERM_OVER", "NOT_IN_FORCE"
DAY_AHEAD, HISTORY_ABSENT = "DAY_LIES_AHEAD", "STATUS_HISTORY_ABSENT"
CHANGED_THAT_DAY = "STATUS_CHANGED_THAT_DAY"
FIELD_NOT_DECLARED, FIELD_EMPTY = "FIELD_NOT_DECLARED", "FIELD_WITHOUT_VALUE"
NOT_SHOWN = "FIELD_NOT_FOR_THIS_PURPOSE"
NOT_ASKABLE, NOT_COMPARABLE = "ONLY_EQUALITY_MAY_BE_ASKED", "NOT_COMPARABLE"
REASONS = {
    HOLDS: ("符合", "It holds"),
    DIFFERS: ("不符合", "It does not hold"),
    LICENCE_UNKNOWN: ("没有可供查询的该证照", "No such licence that you may ask about"),
    NOT_BEGUN: ("该日期早于有效期起始", "The term had not begun"),
    TERM_OVER: ("该日期晚于有效期截止", "The term was over"),
    NOT_IN_FORCE: ("该日证照不在有效状态", "It was not in force"),
    DAY_AHEAD: ("该日期尚未到来", "The day lies ahead"),
    HISTORY_ABSENT: ("没有该日的状态记录", "The status of that day is not on record"),
    CHANGED_THAT_DAY: ("证照状态在该日当天发生变化", "The status changed on that day"),
    FIELD_NOT_DECLARED: ("该类证照没有此信息项", "The type declares no such field"),
    FIELD_EMPTY: ("该信息项没有登记内容", "The field has no value"),
    NOT_SHOWN: ("该信息项不向此用途提供", "The type does not show the field for such a purpose"),
    NOT_ASKABLE: ("该信息项只能询问是否相等", "Of this field only equality may be asked"),
    NOT_COMPARABLE: ("该信息项不能这样比较", "The field cannot be compared like this"),
}
"""What each reason means, zh and en."""


def predicate_violations(predicates: Sequence[Predicate]) -> list[Violation]:
    """Return what is wrong with a question, whatever the licence says."""
    found: list[Violation] = []
    if not predicates:
        found.append(FIELD_REQUIRED.at("predicates"))
    if len(predicates) > PREDICATES_LIMIT:
        found.append(FIELD_TOO_LONG.at("predicates", limit=PREDICATES_LIMIT))
    for index, each in enumerate(predicates):
        if isinstance(each, Covers):
            found += _covers_violations(each, f"predicates[{index}].covers")
    return found


def answer_all(
    licence: Licence | None,
    kind: LicenceType | None,
    changes: Sequence[StatusChange],
    predicates: Iterable[Predicate],
    now: datetime,
    category: PurposeCategory = PurposeCategory.STATUTORY_DUTY,
) -> Answer:
    """Answer a conjunction: one NO decides it, then one UNKNOWN; YES only where everything holds.

    ``changes`` is the licence's whole status history in the order of their effect. Of fields that the type
    hides from the category of purpose nothing is said.
    """
    if licence is None:
        return Answer(Verdict.UNKNOWN, LICENCE_UNKNOWN)
    answers = [
        _valid_on(licence, changes, each.day, now)
        if isinstance(each, ValidOn)
        else _covers(licence, kind, each, category)
        for each in predicates
    ]
    for verdict in (Verdict.NO, Verdict.UNKNOWN):
        decided = next((each for each in answers if each.verdict is verdict), None)
        if decided:
            return decided
    return Answer(Verdict.YES, HOLDS)


def asked_digest(predicates: Iterable[Predicate], salt: str) -> str:
    """Return the hex SHA-256 of what was asked, salted: proves the question to whoever knows it, tells nobody else."""
    return _digest(salt, [_told(each) for each in predicates])


def subject_digest(way: str, value: str | tuple[str, str], type_codes: Sequence[str], salt: str) -> str:
    """Return the hex SHA-256 of about whom or what was asked: the way of the query, its value, its types; salted."""
    return _digest(salt, [way, value, list(type_codes)])


def _digest(salt: str, said: object) -> str:
    """JSON keeps the parts apart: no value can end one and begin another."""
    return hashlib.sha256(json.dumps([salt, said], ensure_ascii=False).encode()).hexdigest()


def _told(predicate: Predicate) -> list[object]:
    if isinstance(predicate, ValidOn):
        return ["valid_on", predicate.day.isoformat()]
    return ["covers", predicate.name, predicate.operator, list(predicate.values)]


def _valid_on(licence: Licence, changes: Sequence[StatusChange], day: date, now: datetime) -> Answer:
    begins = licence.valid_from or licence.issued_date
    if day < begins:
        return Answer(Verdict.NO, NOT_BEGUN)
    if licence.valid_until is not None and day > licence.valid_until:
        return Answer(Verdict.NO, TERM_OVER)
    today = date.fromisoformat(china_day(now))
    if day > today:
        return Answer(Verdict.UNKNOWN, DAY_AHEAD)
    if day == today:
        valid = licence.usability(now) is LicenceStatus.VALID
        return Answer(Verdict.YES, HOLDS) if valid else Answer(Verdict.NO, NOT_IN_FORCE)
    return _on_past_day(licence, changes, day)


def _on_past_day(licence: Licence, changes: Sequence[StatusChange], day: date) -> Answer:
    """Judge a day by the acts that were in effect then; a status without an act behind it has no past.

    The day is YES only as a whole: a licence suspended at noon was not in force on that day without doubt.
    """
    begins = datetime.combine(day, time.min, CHINA_TIME)
    ends = datetime.combine(day, time.max, CHINA_TIME)
    before = [each for each in changes if each.effective_at < begins]
    during = [each for each in changes if begins <= each.effective_at <= ends]
    after = [each for each in changes if each.effective_at > ends]
    if before:
        at_start = before[-1].status
    elif during or after:
        at_start = (during or after)[0].previous
    elif licence.origin is Origin.IMPORTED and licence.status is not LicenceStatus.VALID:
        return Answer(Verdict.UNKNOWN, HISTORY_ABSENT)
    else:
        at_start = licence.status
    seen = {at_start, *(each.status for each in during)}
    if seen == {LicenceStatus.VALID}:
        return Answer(Verdict.YES, HOLDS)
    return (
        Answer(Verdict.UNKNOWN, CHANGED_THAT_DAY)
        if LicenceStatus.VALID in seen
        else Answer(Verdict.NO, NOT_IN_FORCE)
    )


def _covers(licence: Licence, kind: LicenceType | None, asked: Covers, category: PurposeCategory) -> Answer:
    declared = kind.field(asked.name) if kind else None
    if kind is None or declared is None:
        return Answer(Verdict.UNKNOWN, FIELD_NOT_DECLARED)
    if kind.matrix.sight(category, asked.name) is Sight.HIDDEN:
        return Answer(Verdict.UNKNOWN, NOT_SHOWN)
    if declared.mask is not MaskRule.NONE and asked.operator is not Operator.EQ:
        return Answer(Verdict.UNKNOWN, NOT_ASKABLE)
    value = licence.face.get(asked.name, "")
    if not value:
        return Answer(Verdict.UNKNOWN, FIELD_EMPTY)
    holds = _holds(_plain(value), asked.operator, [_plain(each) for each in asked.values])
    if holds is None:
        return Answer(Verdict.UNKNOWN, NOT_COMPARABLE)
    return Answer(Verdict.YES, HOLDS) if holds else Answer(Verdict.NO, DIFFERS)


def _holds(value: str, operator: Operator, asked: Sequence[str]) -> bool | None:
    """Say whether a value compares as asked; None for values that have no order."""
    if operator in {Operator.EQ, Operator.IN}:
        return value in asked
    if operator is Operator.CONTAINS:
        return all(each in value for each in asked)
    here, there = _ordered(value), _ordered(asked[0])
    if isinstance(here, date) and isinstance(there, date):
        return here >= there if operator is Operator.GE else here <= there
    if isinstance(here, Decimal) and isinstance(there, Decimal):
        return here >= there if operator is Operator.GE else here <= there
    return None


def _ordered(text: str) -> date | Decimal | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _plain(text: str) -> str:
    """Return the text as it is compared: full-width forms and blanks at the ends make no difference."""
    return unicodedata.normalize("NFKC", text).strip()


def _covers_violations(asked: Covers, at: str) -> list[Violation]:
    found: list[Violation] = []
    if not asked.name:
        found.append(FIELD_REQUIRED.at(f"{at}.field"))
    elif len(asked.name) > FIELD_NAME_LIMIT:
        found.append(FIELD_TOO_LONG.at(f"{at}.field", limit=FIELD_NAME_LIMIT))
    if not asked.values:
        found.append(FIELD_REQUIRED.at(f"{at}.values"))
    elif asked.operator in {Operator.EQ, Operator.GE, Operator.LE} and len(asked.values) > 1:
        found.append(ONE_VALUE_NEEDED.at(f"{at}.values"))
    if len(asked.values) > VALUES_LIMIT:
        found.append(FIELD_TOO_LONG.at(f"{at}.values", limit=VALUES_LIMIT))
    for index, value in enumerate(asked.values):
        if not value.strip():
            found.append(FIELD_REQUIRED.at(f"{at}.values[{index}]"))
        elif len(value) > VALUE_LENGTH_LIMIT:
            found.append(FIELD_MALFORMED.at(f"{at}.values[{index}]"))
    return found
