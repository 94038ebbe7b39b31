"""Licence types (证照类型, GB/T 36902): which face fields a type has and how they are shown. Data, not code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chassis.errors import Kind, declare
from standards.masking import MaskRule

LICENCE_TYPES_MALFORMED = declare(
    "LICENCE_TYPES_MALFORMED",
    Kind.FAILED_PRECONDITION,
    "证照类型目录第 {position} 条有误：{cause}",
    "Licence type {position} of the catalogue is wrong: {cause}",
)


@dataclass(frozen=True, slots=True)
class FaceField:
    """A face field (照面信息项): its KZ_ short name, its label, and how it is masked."""

    name: str
    label: str
    required: bool
    mask: MaskRule


@dataclass(frozen=True)
class LicenceType:
    """A type of licence (证照类型): code of GB/T 36904, name, title on the page, face fields in order."""

    code: str
    name: str
    fields: tuple[FaceField, ...]
    title: str = ""
    shown: tuple[str, ...] = ()
    """The face fields on the readable licence, in order; empty means all."""

    @cached_property
    def _by_name(self) -> dict[str, FaceField]:
        return {each.name: each for each in self.fields}

    def field(self, name: str) -> FaceField | None:
        """Return a face field by its short name, None if the type has no such field."""
        return self._by_name.get(name)

    @property
    def on_page(self) -> tuple[FaceField, ...]:
        """The face fields that stand on the page, in their order."""
        return tuple(self._by_name[name] for name in self.shown) if self.shown else self.fields

    def lacks(self, face: Mapping[str, str]) -> bool:
        """Say whether a required face field has no value."""
        return any(each.required and not face.get(each.name) for each in self.fields)


LicenceTypes = Mapping[str, LicenceType]
"""The types by code; a licence of a type that is not among them is kept and shows no face field."""


def parse_licence_types(document: object) -> dict[str, LicenceType]:
    """Return the types of ``licence_types.yaml``. Raises LICENCE_TYPES_MALFORMED for the first wrong one."""
    entries = document.get("licence_types") if isinstance(document, Mapping) else None
    if not isinstance(entries, Sequence):
        raise LICENCE_TYPES_MALFORMED(position=0, cause="licence_types is missing")
    found: dict[str, LicenceType] = {}
    for position, entry in enumerate(entries, 1):
        try:
            kind = _type(entry)
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise LICENCE_TYPES_MALFORMED(position=position, cause=repr(problem)) from problem
        if kind.code in found:
            raise LICENCE_TYPES_MALFORMED(position=position, cause=f"{kind.code} stands twice")
        found[kind.code] = kind
    return found


def _type(entry: Mapping[str, Any]) -> LicenceType:
    fields = tuple(
        FaceField(
            str(each["code"]),
            str(each["zh"]),
            bool(each.get("required", False)),
            MaskRule(each.get("mask", "none")),
        )
        for each in entry["face_fields"]
    )
    display = entry.get("display") or {}
    shown = tuple(str(name) for name in display.get("fields", ()))
    unknown = set(shown) - {each.name for each in fields}
    if unknown:
        message = f"display names unknown fields: {sorted(unknown)}"
        raise ValueError(message)
    name = str(entry["name"]["zh"])
    return LicenceType(str(entry["code"]), name, fields, str(display.get("title", name)), shown)
