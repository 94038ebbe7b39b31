"""Quality rules of a type (数据质量规则): what the import judges every row by, beyond what holds for all types."""

from __future__ import annotations

from dataclasses import dataclass

QUALITY_RULES = ("required", "pattern", "date_order", "code_table", "holder_check", "face_complete")
NEED_FIELDS = frozenset({"required", "pattern", "code_table"})


@dataclass(frozen=True, slots=True)
class QualityRule:
    """One rule: a row that breaks it is refused, or with ``flag`` kept and marked.

    ``fields`` are short names of GB/T 36903, of the face or common to all types. What each rule means,
    the import says.
    """

    rule: str
    fields: tuple[str, ...] = ()
    pattern: str = ""
    codes: frozenset[str] = frozenset()
    flag: bool = False
