"""The quality rules of a licence type (质量规则) on an imported row: every broken one is named at once.

The rules are data of the type, in its ``quality_rules``:

- ``required``: the fields have a value;
- ``pattern``, ``code_table``: the values of the fields, where there are any, are in this form, in this table;
- ``date_order``: day of issue ≤ first day of the term ≤ last day;
- ``holder_check``: the numbers of the holders pass the checks of their kinds;
- ``face_complete``: every face field that the type requires has a value.

A row that breaks one is refused; a rule with ``flag`` keeps it and marks it. What the schema of a face field
demands (length, form, code table) only marks, as it always has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chassis.errors import FIELD_REQUIRED, Kind, Violation, declare
from services.certs.domain.holder import Holder, check_holder_number
from services.certs.domain.licence_type import LicenceType, QualityRule
from services.certs.domain.licence_type.values import compiled

PATTERN_NOT_MET = declare(
    "PATTERN_NOT_MET",
    Kind.INVALID_ARGUMENT,
    "内容不符合该证照类型规定的格式",
    "Not in the form that the licence type demands",
)
CODE_NOT_IN_TABLE = declare(
    "CODE_NOT_IN_TABLE",
    Kind.INVALID_ARGUMENT,
    "内容不在该证照类型的代码表内",
    "Not in the code table of the licence type",
)
DATES_OUT_OF_ORDER = declare(
    "DATES_OUT_OF_ORDER",
    Kind.INVALID_ARGUMENT,
    "颁发日期、有效期起始、有效期截止的先后不正确",
    "Day of issue, first and last day of the term are out of order",
)
HOLDER_NUMBER_WRONG = declare(
    "HOLDER_NUMBER_WRONG",
    Kind.INVALID_ARGUMENT,
    "持证主体代码校验位不正确",
    "The number of a holder does not pass its check",
)


@dataclass(frozen=True, slots=True)
class Dates:
    """The days of a row."""

    issued: date
    valid_from: date | None
    valid_until: date | None

    @property
    def in_order(self) -> bool:
        """Whether issue comes no later than the term's first day, and that no later than its last."""
        begins = self.valid_from or self.issued
        return self.issued <= begins and (self.valid_until is None or begins <= self.valid_until)


def broken_rules(
    kind: LicenceType, given: Mapping[str, str], dates: Dates, holders: Sequence[Holder]
) -> tuple[list[Violation], list[str]]:
    """Return the problems of a row, and the flags of what only marks it."""
    problems: list[Violation] = []
    flags = [rule.flag for rule in kind.broken_rules(given)]
    for rule in kind.quality_rules:
        found = _broken(rule, kind, given, dates, holders)
        if rule.flag:
            flags += [each.reason.code for each in found]
        else:
            problems += found
    return problems, flags


def _broken(
    rule: QualityRule, kind: LicenceType, given: Mapping[str, str], dates: Dates, holders: Sequence[Holder]
) -> list[Violation]:
    if rule.rule == "required":
        return [FIELD_REQUIRED.at(name) for name in rule.fields if name not in given]
    if rule.rule == "face_complete":
        missing = [each.name for each in kind.fields if each.required and each.name not in given]
        return [FIELD_REQUIRED.at(name) for name in missing]
    if rule.rule == "date_order":
        return [] if dates.in_order else [DATES_OUT_OF_ORDER.at("ZZYXQQSRQ")]
    if rule.rule == "holder_check":
        wrong = any(not check_holder_number(each.id_type_code, each.id_number).valid for each in holders)
        return [HOLDER_NUMBER_WRONG.at("CZZTDM")] if wrong else []
    present = [name for name in rule.fields if name in given]  # whether one must be there is another rule
    if rule.rule == "pattern":
        form = compiled(rule.pattern)
        return [PATTERN_NOT_MET.at(name) for name in present if not form.fullmatch(given[name])]
    return [CODE_NOT_IN_TABLE.at(name) for name in present if given[name] not in rule.codes]
