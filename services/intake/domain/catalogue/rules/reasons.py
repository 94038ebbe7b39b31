"""The reasons a catalogue is refused for, and small ways to say them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from chassis.errors import Kind, Reason, Violation, declare


def _catalogue(name: str, zh: str, en: str) -> Reason:
    return declare(f"CATALOGUE_{name}", Kind.FAILED_PRECONDITION, zh, en)


CATALOGUE_INVALID = _catalogue(
    "INVALID", "事项目录有 {count} 处错误，未载入", "The catalogue has {count} mistakes and was not loaded"
)
SHAPE_WRONG = _catalogue("SHAPE_WRONG", "数据项有误：{problem}", "Wrong shape: {problem}")
REFERENCE_UNKNOWN = _catalogue(
    "REFERENCE_UNKNOWN", "引用的{what} {value} 不存在", "There is no {what} {value}"
)
CODE_WRONG = _catalogue("CODE_WRONG", "代码 {value} 有误：{problem}", "Code {value} is wrong: {problem}")
DUPLICATE = _catalogue("DUPLICATE", "{value} 重复", "{value} occurs more than once")
CONTRADICTION = _catalogue("CONTRADICTION", "前后矛盾：{problem}", "Contradiction: {problem}")


def unknown(path: str, what: str, values: Iterable[str], known: Iterable[str]) -> list[Violation]:
    """Return one violation for each value that is not known."""
    there = set(known)
    return [REFERENCE_UNKNOWN.at(path, what=what, value=value) for value in values if value not in there]


def repeated(path: str, values: Iterable[str]) -> list[Violation]:
    """Return one violation for each value that occurs more than once."""
    return [DUPLICATE.at(path, value=value) for value, times in Counter(values).items() if times > 1]


def contradiction(path: str, problem: str, *, when: bool) -> list[Violation]:
    """Return the contradiction when the condition holds."""
    return [CONTRADICTION.at(path, problem=problem)] if when else []


def item_path(item_id: str, field: str) -> str:
    """Return file and field of a service item; its file is named for its id."""
    return f"items/{item_id}.yaml: {field}"
