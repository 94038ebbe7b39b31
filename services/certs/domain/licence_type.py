"""Licence types (证照类型, GB/T 36902): which face fields a type has and how they are shown. Data, not code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from standards.masking import MaskRule


@dataclass(frozen=True, slots=True)
class FaceField:
    """A face field (照面信息项): its KZ_ short name, its label, and how it is masked."""

    name: str
    label: str
    required: bool
    mask: MaskRule


@dataclass(frozen=True)
class LicenceType:
    """A type of licence (证照类型): code of GB/T 36904, name, who may hold it, its face fields in order."""

    code: str
    name: str
    fields: tuple[FaceField, ...]
    number_prefix: str = ""

    @cached_property
    def _by_name(self) -> dict[str, FaceField]:
        return {each.name: each for each in self.fields}

    def field(self, name: str) -> FaceField | None:
        """Return a face field by its short name, None if the type has no such field."""
        return self._by_name.get(name)


LicenceTypes = Mapping[str, LicenceType]
"""The types by code; a licence of a type that is not among them is kept and shows no face field."""
