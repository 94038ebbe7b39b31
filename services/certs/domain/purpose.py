"""Why a licence is read. No licence is shown without a purpose and a legal basis (PIPL 13, GB/T 36906)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from chassis.errors import FIELD_MALFORMED, FIELD_TOO_LONG, Kind, Violation, declare, refuse

USE_CAUSE_LIMIT = 200  # GB/T 36906, useCause
CODE_LIMIT = 64

PURPOSE_REQUIRED = declare(
    "PURPOSE_REQUIRED", Kind.INVALID_ARGUMENT, "请说明用证事由", "State what the licence is used for"
)
BASIS_REQUIRED = declare(
    "BASIS_REQUIRED", Kind.INVALID_ARGUMENT, "请注明用证的法律依据类型", "State the legal basis of the use"
)
CASE_REQUIRED = declare(
    "CASE_REQUIRED",
    Kind.INVALID_ARGUMENT,
    "经持证主体同意的用证必须对应具体办件",
    "A use by consent belongs to a case; name it",
)


class Basis(StrEnum):
    """The legal basis of a read (个人信息保护法 13)."""

    CONSENT = "consent"
    STATUTORY_DUTY = "statutory_duty"
    SHOWN_BY_HOLDER = "shown_by_holder"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a read is for; all of it goes into the usage record (用证记录)."""

    use_cause: str
    basis: Basis | None
    item_code: str = ""
    case_id: str = ""


_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters by their category that nobody sees: the fillers of Hangul."""


_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


def says_something(text: str) -> bool:
    """Say whether there is a letter, an ideograph or a digit to be read in a text."""
    return any(each.isalnum() and each not in _BLANK_LETTERS for each in text)


def is_writable(text: str) -> bool:
    """Say whether a text can be put on record: no NUL, no half of a pair of surrogates."""
    return _UNWRITABLE.search(text) is None


def purpose_violations(purpose: Purpose, at: str = "purpose") -> list[Violation]:
    """Return every wrong field of a purpose; ``at`` is its path in the request."""
    found: list[Violation] = []
    if not says_something(purpose.use_cause):
        found.append(PURPOSE_REQUIRED.at(f"{at}.use_cause"))
    elif len(purpose.use_cause) > USE_CAUSE_LIMIT:
        found.append(FIELD_TOO_LONG.at(f"{at}.use_cause", limit=USE_CAUSE_LIMIT))
    if purpose.basis is None:
        found.append(BASIS_REQUIRED.at(f"{at}.basis"))
    if purpose.basis is Basis.CONSENT and not says_something(purpose.case_id):
        found.append(CASE_REQUIRED.at(f"{at}.case_id"))
    for name, value in (("item_code", purpose.item_code), ("case_id", purpose.case_id)):
        if len(value) > CODE_LIMIT:
            found.append(FIELD_TOO_LONG.at(f"{at}.{name}", limit=CODE_LIMIT))
    texts = {"use_cause": purpose.use_cause, "item_code": purpose.item_code, "case_id": purpose.case_id}
    found += [FIELD_MALFORMED.at(f"{at}.{name}") for name, text in texts.items() if not is_writable(text)]
    return found


def check_purpose(purpose: Purpose, others: list[Violation] | None = None) -> None:
    """Refuse a read without full purpose, together with the other wrong fields of its request."""
    refuse([*purpose_violations(purpose), *(others or [])])


class PurposeCategory(StrEnum):
    """By which right somebody reads (用证类别): a column of a type's disclosure matrix."""

    PREVIEW = "preview"
    """Found for its holder, who has not given it to anybody yet."""
    STATUTORY_DUTY = "statutory_duty"
    SHOWN_BY_HOLDER = "shown_by_holder"
    CONSENT_CODE = "consent_code"
    """Given by a use-code to which the holder agreed."""
    DUTY_CODE = "duty_code"
    ENTRUSTED_CODE = "entrusted_code"


def category_of(purpose: Purpose) -> PurposeCategory:
    """Return the category of a read for which no use-code was given."""
    return _WITHOUT_CODE.get(purpose.basis, PurposeCategory.PREVIEW)


_WITHOUT_CODE: dict[Basis | None, PurposeCategory] = {
    Basis.STATUTORY_DUTY: PurposeCategory.STATUTORY_DUTY,
    Basis.SHOWN_BY_HOLDER: PurposeCategory.SHOWN_BY_HOLDER,
}
