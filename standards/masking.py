"""Masking of personal values for screens, logs and notices (reference standards.md §8.3).

A masked value never shows more than the rule keeps; a value too short for its rule is hidden whole.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class MaskRule(StrEnum):
    """How a value is shown to someone who may not see it in clear."""

    NONE = "none"
    NAME = "name"
    CITIZEN_ID = "citizen_id"
    MOBILE = "mobile"
    LANDLINE = "landline"
    BANK_CARD = "bank_card"
    ADDRESS = "address"
    EMAIL = "email"
    HIDDEN = "hidden"


def mask_name(value: str) -> str:
    """Return the first character and ``**``, whatever the length of the name."""
    return value[:1] + "**" if value else ""


def mask_citizen_id(value: str) -> str:
    """Return the first one and the last two characters of an ID number."""
    return _keep(value, 1, 2)


def mask_mobile(value: str) -> str:
    """Return the first three and the last four digits."""
    return _keep(value, 3, 4)


def mask_landline(value: str) -> str:
    """Return the first four and the last two digits."""
    return _keep(value, 4, 2)


def mask_bank_card(value: str) -> str:
    """Return the first four and the last four digits."""
    return _keep(value, 4, 4)


def mask_address(value: str) -> str:
    """Return the head of an address; its last eight characters are hidden."""
    return value[:-8] + "*" * min(8, len(value))


def mask_email(value: str) -> str:
    """Return the first character and the domain."""
    account, at, domain = value.partition("@")
    return f"{account[:1]}***@{domain}" if at and account else "*" * len(value)


def mask(rule: MaskRule, value: str) -> str:
    """Return the value as the rule shows it."""
    return _RULES[rule](value)


def masker(rule: MaskRule) -> Callable[[str], str]:
    """Return what shows one value after the other as the rule does."""
    return _RULES[rule]


def _keep(value: str, head: int, tail: int) -> str:
    hidden = len(value) - head - tail
    return value[:head] + "*" * hidden + value[-tail:] if hidden > 0 else "*" * len(value)


_RULES: dict[MaskRule, Callable[[str], str]] = {
    MaskRule.NONE: str,
    MaskRule.NAME: mask_name,
    MaskRule.CITIZEN_ID: mask_citizen_id,
    MaskRule.MOBILE: mask_mobile,
    MaskRule.LANDLINE: mask_landline,
    MaskRule.BANK_CARD: mask_bank_card,
    MaskRule.ADDRESS: mask_address,
    MaskRule.EMAIL: mask_email,
    MaskRule.HIDDEN: lambda value: "*" * len(value),
}
