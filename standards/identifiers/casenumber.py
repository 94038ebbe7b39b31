"""Case number 办件编号: prefix, day, sequence and a MOD 37,36 check character.

No national pattern is known. One municipal sample is task code (31) + yyyymmdd + four digits;
we keep that order and append a check character, so that a number read out on the telephone
or typed at a kiosk is caught when one character is wrong.
"""

from __future__ import annotations

import re
from datetime import date

from chassis.errors import Kind, declare
from standards.identifiers.mod3736 import check_character
from standards.identifiers.outcome import Check

CASE_NUMBER_LIMIT = 50
"""Characters; the national exchange tables hold no more (up_pro_accept.project_no)."""

_PREFIX = re.compile(r"[0-9A-Z]{1,31}")
_FORM = re.compile(r"[0-9A-Z]{1,31}[0-9]{12,18}[0-9A-Z]")
_HIGHEST_SEQUENCE = 999_999

CASE_NUMBER_MALFORMED = declare(
    "CASE_NUMBER_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "办件编号格式不正确，请核对",
    "The case number is malformed",
)
CASE_NUMBER_CHECK_WRONG = declare(
    "CASE_NUMBER_CHECK_WRONG",
    Kind.INVALID_ARGUMENT,
    "办件编号校验位不正确，请核对是否抄错",
    "The check character of the case number does not fit; a character may be wrong",
)


def case_number_body(prefix: str, day: date, sequence: int) -> str:
    """Return the number without its check character: prefix, yyyymmdd, sequence of at least four digits.

    ``prefix`` is a task code, or another ``0-9A-Z`` code of at most 31 characters for a bundle.
    """
    if not _PREFIX.fullmatch(prefix) or not 1 <= sequence <= _HIGHEST_SEQUENCE:
        raise CASE_NUMBER_MALFORMED()
    return f"{prefix}{day:%Y%m%d}{sequence:04d}"


def build_case_number(prefix: str, day: date, sequence: int) -> str:
    """Return a full case number; raises CASE_NUMBER_MALFORMED on a bad prefix or sequence."""
    body = case_number_body(prefix, day, sequence)
    return body + check_character(body)


def check_case_number(value: str) -> Check:
    """Check form and check character of a case number that this system gave out."""
    if len(value) > CASE_NUMBER_LIMIT or not _FORM.fullmatch(value):
        return Check(CASE_NUMBER_MALFORMED)
    expected = check_character(value[:-1])
    return Check(None if value[-1] == expected else CASE_NUMBER_CHECK_WRONG, expected)
