"""Citizen number 公民身份号码 (GB 11643-1999): division, birth date, sequence, check character.

The division is not looked up: divisions are abolished and renamed, old numbers stay right.
"""

from __future__ import annotations

import re
from datetime import date
from operator import mul
from typing import Literal

from chassis.errors import Kind, declare
from standards.identifiers.outcome import Check

_FORM = re.compile(r"\d{17}[\dX]", re.ASCII)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ZEROS = sum(_WEIGHTS) * ord("0")
_CHECKS = "10X98765432"
_HIGHEST_SEQUENCE = 999

CITIZEN_ID_MALFORMED = declare(
    "CITIZEN_ID_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "公民身份号码应为 17 位数字加 1 位校验码（数字或大写 X）",
    "A citizen number is 17 digits and a check character (a digit or capital X)",
)
CITIZEN_ID_BIRTH_DATE_WRONG = declare(
    "CITIZEN_ID_BIRTH_DATE_WRONG",
    Kind.INVALID_ARGUMENT,
    "公民身份号码中的出生日期不存在",
    "The birth date in the citizen number does not exist",
)
CITIZEN_ID_CHECK_WRONG = declare(
    "CITIZEN_ID_CHECK_WRONG",
    Kind.INVALID_ARGUMENT,
    "公民身份号码校验位不正确，请核对是否抄错",
    "The check character does not fit; a digit may be wrong or two swapped",
)


def normalise_citizen_id(value: str) -> str:
    """Return the value with a final small ``x`` made capital; nothing else is changed or trimmed."""
    return value[:-1] + "X" if value.endswith("x") else value


def citizen_check_character(body: str) -> str:
    """Return character 18 for 17 digits."""
    total = sum(map(mul, _WEIGHTS, body.encode("ascii"))) - _ZEROS
    return _CHECKS[total % 11]


def check_citizen_id(value: str, *, today: date | None = None) -> Check:
    """Check form, check character and birth date (a real day, and none after ``today`` when given)."""
    if not _FORM.fullmatch(value):
        return Check(CITIZEN_ID_MALFORMED)
    expected = citizen_check_character(value[:17])
    if value[17] != expected:
        return Check(CITIZEN_ID_CHECK_WRONG, expected)
    born = _birth_date(value)
    if born is None or (today is not None and born > today):
        return Check(CITIZEN_ID_BIRTH_DATE_WRONG)
    return Check(None, expected)


def citizen_birth_date(value: str) -> date:
    """Return the birth date of a valid citizen number; raises the failed rule as a fault."""
    check_citizen_id(value).require()
    return date(int(value[6:10]), int(value[10:12]), int(value[12:14]))


def citizen_sex(value: str) -> Literal["male", "female"]:
    """Return the sex that the sequence of a valid citizen number states (odd is male)."""
    check_citizen_id(value).require()
    return "male" if int(value[16]) % 2 else "female"


def build_citizen_id(division: str, born: date, sequence: int) -> str:
    """Return a number with a right check character, for synthetic persons only; sequence 0..999."""
    if not 0 <= sequence <= _HIGHEST_SEQUENCE:
        raise CITIZEN_ID_MALFORMED()
    body = f"{division}{born:%Y%m%d}{sequence:03d}"
    if not _FORM.fullmatch(body + "X"):
        raise CITIZEN_ID_MALFORMED()
    return body + citizen_check_character(body)


def _birth_date(value: str) -> date | None:
    try:
        return date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError:
        return None
