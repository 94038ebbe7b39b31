"""Unified social credit code 统一社会信用代码 (GB 32100-2015) and organisation code (GB 11714)."""

from __future__ import annotations

import re

from chassis.errors import Kind, declare
from standards.identifiers.outcome import Check

USCC_LENGTH = 18
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # no I O Z S V
_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_WEIGHTS = tuple(pow(3, position, 31) for position in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_ORGANISATION = re.compile(r"[0-9A-Z]{8}[0-9X]")
_CHARACTERS = frozenset(ALPHABET)

USCC_LENGTH_WRONG = declare(
    "USCC_LENGTH_WRONG",
    Kind.INVALID_ARGUMENT,
    "统一社会信用代码应为 18 位",
    "A unified social credit code has 18 characters",
)
USCC_CHARACTER_WRONG = declare(
    "USCC_CHARACTER_WRONG",
    Kind.INVALID_ARGUMENT,
    "统一社会信用代码含有不允许的字符（只用数字和大写字母，不含 I、O、Z、S、V）",
    "Only digits and capital letters other than I, O, Z, S and V are allowed",
)
USCC_DIVISION_WRONG = declare(
    "USCC_DIVISION_WRONG",
    Kind.INVALID_ARGUMENT,
    "统一社会信用代码第 3 至 8 位应为行政区划数字",
    "Characters 3 to 8 must be the digits of a division",
)
USCC_CHECK_WRONG = declare(
    "USCC_CHECK_WRONG",
    Kind.INVALID_ARGUMENT,
    "统一社会信用代码校验位不正确，请核对是否抄错",
    "The check character does not fit; a character may be wrong or two swapped",
)
ORGANISATION_CODE_WRONG = declare(
    "ORGANISATION_CODE_WRONG",
    Kind.INVALID_ARGUMENT,
    "组织机构代码格式或校验位不正确",
    "The organisation code is malformed or its check character does not fit",
)


def uscc_check_character(body: str) -> str:
    """Return character 18 for the first 17; KeyError on a character outside the 31."""
    total = sum(weight * _VALUE[character] for weight, character in zip(_WEIGHTS, body, strict=True))
    return ALPHABET[-total % 31]


def organisation_check_character(body: str) -> str:
    """Return character 9 of an organisation code for the first 8 (``0-9A-Z``), GB 11714."""
    total = sum(
        weight * int(character, 36) for weight, character in zip(_ORGANISATION_WEIGHTS, body, strict=True)
    )
    return "0123456789X0"[11 - total % 11]


def check_uscc(value: str) -> Check:
    """Check length, characters, division digits and character 18.

    A wrong organisation-code check (character 17) below a right character 18 is a warning only:
    such codes are in use.
    """
    if len(value) != USCC_LENGTH:
        return Check(USCC_LENGTH_WRONG)
    if not _CHARACTERS.issuperset(value):
        return Check(USCC_CHARACTER_WRONG)
    if not value[2:8].isdigit():
        return Check(USCC_DIVISION_WRONG)
    expected = uscc_check_character(value[:17])
    if value[17] != expected:
        return Check(USCC_CHECK_WRONG, expected)
    inner = check_organisation_code(value[8:17])
    return Check(None, expected, () if inner.valid else (ORGANISATION_CODE_WRONG,))


def check_organisation_code(value: str) -> Check:
    """Check a nine-character organisation code 组织机构代码, GB 11714."""
    if not _ORGANISATION.fullmatch(value):
        return Check(ORGANISATION_CODE_WRONG)
    expected = organisation_check_character(value[:8])
    return Check(None if value[8] == expected else ORGANISATION_CODE_WRONG, expected)


def build_uscc(registration: str, division: str, organisation_body: str) -> str:
    """Return a code with both check characters computed, for synthetic holders and departments.

    ``registration`` is characters 1-2 (``11`` an agency, ``91`` a company, ``92`` a sole trader),
    ``division`` six digits, ``organisation_body`` eight characters. Raises the failed rule as a fault.
    """
    if not _CHARACTERS.issuperset(registration + division + organisation_body):
        raise USCC_CHARACTER_WRONG()
    body = registration + division + organisation_body + organisation_check_character(organisation_body)
    if len(body) != USCC_LENGTH - 1:
        raise USCC_LENGTH_WRONG()
    value = body + uscc_check_character(body)
    check_uscc(value).require()
    return value
