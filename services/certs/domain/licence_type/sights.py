"""Who sees what of a type: its disclosure matrix, purpose category × face field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.certs.domain.purpose import PurposeCategory

ANY_FIELD = "*"
"""Stands for every field that a column of the matrix does not name."""


class Sight(StrEnum):
    """How a value is shown: as it is, by the mask of its field, or not at all."""

    FULL = "full"
    MASKED = "masked"
    HIDDEN = "hidden"


_ORDER = (Sight.FULL, Sight.MASKED, Sight.HIDDEN)
_DEFAULTS = {
    PurposeCategory.PREVIEW: Sight.MASKED,
    PurposeCategory.STATUTORY_DUTY: Sight.MASKED,
    PurposeCategory.SHOWN_BY_HOLDER: Sight.MASKED,
    PurposeCategory.CONSENT_CODE: Sight.FULL,
    PurposeCategory.DUTY_CODE: Sight.FULL,
    PurposeCategory.ENTRUSTED_CODE: Sight.FULL,
}
"""Where a type says nothing: masked for who reads, in clear for who was given a code that names the field."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The disclosure matrix (照面信息共享范围) of a type: what it says, by category and field name."""

    said: Mapping[PurposeCategory, Mapping[str, Sight]] = field(default_factory=dict)

    def sight(self, category: PurposeCategory, name: str) -> Sight:
        """Return how a category sees a field: what is said of it, of every field, or the default."""
        column = self.said.get(category, {})
        return column.get(name) or column.get(ANY_FIELD) or _DEFAULTS[category]

    def narrowed(self, other: Matrix, names: frozenset[str]) -> Matrix:
        """Return the matrix that shows of each field only what both show; ``names`` are all fields."""
        columns = {
            category: {
                name: max(self.sight(category, name), other.sight(category, name), key=_ORDER.index)
                for name in (*sorted(names), ANY_FIELD)
            }
            for category in PurposeCategory
        }
        return Matrix(columns)
