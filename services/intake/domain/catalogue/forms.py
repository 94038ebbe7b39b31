"""Form fields of an application and the check of what a person filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from chassis.errors import (
    FIELD_MALFORMED,
    FIELD_REQUIRED,
    FIELD_TOO_LONG,
    Kind,
    Violation,
    declare,
    refuse,
)
from services.intake.domain.catalogue.places import Text
from standards.identifiers import check_citizen_id, check_uscc
from standards.masking import MaskRule

FORM_FIELD_UNKNOWN = declare(
    "FORM_FIELD_UNKNOWN", Kind.INVALID_ARGUMENT, "没有这个填写项", "There is no such form field"
)
FIELD_NOT_A_CHOICE = declare(
    "FIELD_NOT_A_CHOICE", Kind.INVALID_ARGUMENT, "请从给出的选项中选择", "Choose one of the options given"
)
FIELD_OUT_OF_RANGE = declare(
    "FIELD_OUT_OF_RANGE",
    Kind.INVALID_ARGUMENT,
    "应在 {minimum} 与 {maximum} 之间",
    "Must be from {minimum} to {maximum}",
)

_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,4})?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class FormFieldType(StrEnum):
    """What kind of value a field takes."""

    TEXT = "text"
    ADDRESS = "address"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"
    MOBILE = "mobile"
    USCC = "uscc"
    CITIZEN_ID = "citizen_id"


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a choice field; ``zh`` is what appears on a licence."""

    value: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class FormField:
    """Form field 填报项. ``minimum`` and ``maximum`` are inclusive and for numbers only."""

    code: str
    label: Text
    type: FormFieldType
    required: bool
    max_length: int
    hint: Text | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    choices: tuple[Choice, ...] = ()
    personal: bool = False
    mask: MaskRule = MaskRule.NONE

    def shown(self, value: str) -> str:
        """Return what a licence or a page shows for a stored value: the label of a choice, else itself."""
        return next((choice.zh for choice in self.choices if choice.value == value), value)


def check_form(fields: Iterable[FormField], values: Mapping[str, str]) -> dict[str, str]:
    """Return the cleaned values in the order of the fields, without empty ones.

    Surrounding blanks are removed. Raises INVALID_REQUEST naming every wrong, missing and unknown
    field at once, as ``form.<code>``.
    """
    known = tuple(fields)
    refuse(form_mistakes(known, values))
    cleaned = {field.code: values.get(field.code, "").strip() for field in known}
    return {code: value for code, value in cleaned.items() if value}


def form_mistakes(fields: Iterable[FormField], values: Mapping[str, str]) -> list[Violation]:
    """Return every wrong, missing and unknown field, as ``form.<code>``."""
    known = {field.code: field for field in fields}
    found = [FORM_FIELD_UNKNOWN.at(f"form.{code}") for code in sorted(values.keys() - known.keys())]
    for code, field in known.items():
        found += _mistakes(field, values.get(code, "").strip())
    return found


def _mistakes(field: FormField, value: str) -> list[Violation]:
    path = f"form.{field.code}"
    if not value:
        return [FIELD_REQUIRED.at(path)] if field.required else []
    if len(value) > field.max_length:
        return [FIELD_TOO_LONG.at(path, limit=field.max_length)]
    return _CHECKS[field.type](field, path, value)


def _check_text(_: FormField, path: str, value: str) -> list[Violation]:
    return [FIELD_MALFORMED.at(path)] if _CONTROL.search(value) else []


def _check_number(field: FormField, path: str, value: str) -> list[Violation]:
    if not _NUMBER.fullmatch(value):
        return [FIELD_MALFORMED.at(path)]
    number = Decimal(value)
    low = field.minimum is not None and number < field.minimum
    high = field.maximum is not None and number > field.maximum
    if low or high:
        return [FIELD_OUT_OF_RANGE.at(path, minimum=field.minimum, maximum=field.maximum)]
    return []


def _check_date(_: FormField, path: str, value: str) -> list[Violation]:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return [FIELD_MALFORMED.at(path)]
    return [] if day.isoformat() == value else [FIELD_MALFORMED.at(path)]


def _check_choice(field: FormField, path: str, value: str) -> list[Violation]:
    known = {choice.value for choice in field.choices}
    return [] if value in known else [FIELD_NOT_A_CHOICE.at(path)]


def _check_mobile(_: FormField, path: str, value: str) -> list[Violation]:
    return [] if _MOBILE.fullmatch(value) else [FIELD_MALFORMED.at(path)]


def _check_uscc(_: FormField, path: str, value: str) -> list[Violation]:
    return list(check_uscc(value).violations(path))


def _check_citizen_id(_: FormField, path: str, value: str) -> list[Violation]:
    return list(check_citizen_id(value).violations(path))


_CHECKS: dict[FormFieldType, Callable[[FormField, str, str], list[Violation]]] = {
    FormFieldType.TEXT: _check_text,
    FormFieldType.ADDRESS: _check_text,
    FormFieldType.NUMBER: _check_number,
    FormFieldType.DATE: _check_date,
    FormFieldType.CHOICE: _check_choice,
    FormFieldType.MOBILE: _check_mobile,
    FormFieldType.USCC: _check_uscc,
    FormFieldType.CITIZEN_ID: _check_citizen_id,
}
