"""What the schema of a type demands of the values of a licence's face fields, one rule at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from services.certs.domain.licence import FLAG_FACE_FIELD_MISSING
from services.certs.domain.metadata import read_date

PATTERN_LIMIT = 200
_NUMBER = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CLASS = re.compile(r"\\.|\[\^?\]?[^\]]*\]")
_REPEATS = re.compile(r"[*+?]|\{(\d*)(,?)(\d*)\}")
_NESTED = re.compile(r"\)[*+{]|\(\?")
_BACK = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")
WAYS_LIMIT = 1_000


class RuleKind(StrEnum):
    """What a rule demands of a value. An absent value breaks none but `PRESENT`."""

    PRESENT = "present"
    ABSENT = "absent"
    LENGTH = "length"
    PATTERN = "pattern"
    CODE = "code"
    DATE = "date"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class ValueRule:
    """One demand on the value of one face field."""

    kind: RuleKind
    field: str
    limit: int = 0
    """Characters, of `LENGTH`."""
    pattern: str = ""
    codes: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The quality flag of a licence that breaks it."""
        return _FLAGS[self.kind]

    def is_broken_by(self, values: Mapping[str, str]) -> bool:
        """Say whether the values, by short name, break the rule."""
        value = values.get(self.field)
        return not _ALLOWS[self.kind](self, value) if value else self.kind is RuleKind.PRESENT


def _is_short(rule: ValueRule, value: str) -> bool:
    return len(value) <= rule.limit


def _fits(rule: ValueRule, value: str) -> bool:
    return compiled(rule.pattern).fullmatch(value) is not None


def _is_listed(rule: ValueRule, value: str) -> bool:
    return value in rule.codes


def _is_date(_rule: ValueRule, value: str) -> bool:
    return _DAY.fullmatch(value) is not None and _is_day(value)


def _is_number(_rule: ValueRule, value: str) -> bool:
    return _NUMBER.fullmatch(value) is not None


_ALLOWS: dict[RuleKind, Callable[[ValueRule, str], bool]] = {
    RuleKind.PRESENT: lambda _rule, _value: True,
    RuleKind.ABSENT: lambda _rule, _value: False,
    RuleKind.LENGTH: _is_short,
    RuleKind.PATTERN: _fits,
    RuleKind.CODE: _is_listed,
    RuleKind.DATE: _is_date,
    RuleKind.NUMBER: _is_number,
}
_FLAGS = {
    RuleKind.PRESENT: FLAG_FACE_FIELD_MISSING,
    RuleKind.ABSENT: "FACE_FIELD_UNEXPECTED",
    RuleKind.LENGTH: "FACE_FIELD_TOO_LONG",
    RuleKind.PATTERN: "FACE_FIELD_MALFORMED",
    RuleKind.CODE: "FACE_FIELD_CODE_UNKNOWN",
    RuleKind.DATE: "FACE_FIELD_MALFORMED",
    RuleKind.NUMBER: "FACE_FIELD_MALFORMED",
}


def pattern_problem(pattern: str) -> str:
    """Return why a pattern may not be used, empty if it may.

    One whose match could take long may not: at most one part is open-ended, no group is repeated, and the
    bounded repeats leave few ways to divide a value. Look-around and back-references are left out.
    """
    if len(pattern) > PATTERN_LIMIT:
        return f"longer than {PATTERN_LIMIT} characters"
    bare = _CLASS.sub("x", pattern)
    if _NESTED.search(bare) or _BACK.search(pattern):
        return "repeats a group, looks around or refers back"
    if not _is_quick(bare):
        return "too many ways to divide a value"
    try:
        compiled(pattern)
    except (re.error, OverflowError):
        return "not a regular expression"
    return ""


def _is_quick(bare: str) -> bool:
    open_ended, ways = 0, 1
    for found in _REPEATS.finditer(bare):
        least, comma, most = found.groups()
        if found.group() in {"*", "+"} or (comma and not most):
            open_ended += 1
        elif found.group() == "?":
            ways *= 2
        elif comma:
            ways *= max(1, int(most) - int(least or 0) + 1)
    return open_ended <= 1 and ways <= WAYS_LIMIT


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern, compiled once."""
    return re.compile(pattern)


def _is_day(value: str) -> bool:
    try:
        read_date(value)
    except ValueError:
        return False
    return True
