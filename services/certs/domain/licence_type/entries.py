"""Reads a plain mapping field by field, and notes what is wrong with it instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Kind, Violation, declare

E = TypeVar("E", bound=StrEnum)
TEXT_LIMIT = 200
LIST_LIMIT = 2_000

TYPE_DOCUMENT_WRONG = declare(
    "TYPE_DOCUMENT_WRONG", Kind.INVALID_ARGUMENT, "此处有误：{cause}", "Wrong here: {cause}"
)


@dataclass(slots=True)
class Entry:
    """A mapping of a document and its path there; every reader returns something, and notes what is wrong."""

    values: Mapping[str, object]
    path: str
    problems: list[Violation]
    _read: set[str] = field(default_factory=set)

    def text(self, name: str, default: str | None = None, *, limit: int = TEXT_LIMIT) -> str:
        """Return a text; without a default it is mandatory."""
        value = self._value(name, "", default)
        if not isinstance(value, str):
            self.problems.append(FIELD_MALFORMED.at(self.at(name)))
            return ""
        if len(value) > limit:
            self.problems.append(FIELD_TOO_LONG.at(self.at(name), limit=limit))
        if default is None and not value.strip() and name in self.values:
            self.problems.append(FIELD_REQUIRED.at(self.at(name)))
        return value

    def number(self, name: str, default: int, most: int) -> int:
        """Return a whole number from 0 to ``most``."""
        value = self._value(name, 0, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            self.wrong(name, f"not a whole number from 0 to {most}")
            return default
        return value

    def truth(self, name: str, *, default: bool = False) -> bool:
        """Return true or false."""
        value = self._value(name, default, default)
        if not isinstance(value, bool):
            self.problems.append(FIELD_MALFORMED.at(self.at(name)))
            return default
        return value

    def word(self, name: str, words: type[E], default: E) -> E:
        """Return one of a set of words."""
        value = self._value(name, default, default)
        try:
            return words(str(value))
        except ValueError:
            self.wrong(name, f"not one of {', '.join(words)}")
            return default

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, empty when there is none."""
        found = self._list(name)
        if any(not isinstance(each, str) or not each or len(each) > TEXT_LIMIT for each in found):
            self.problems.append(FIELD_MALFORMED.at(self.at(name)))
            return ()
        return tuple(str(each) for each in found)

    def inner(self, name: str) -> Entry:
        """Return a mapping inside, an empty one when there is none."""
        value = self._value(name, {}, {})
        return self._entry(value, self.at(name))

    def under(self, value: object) -> Entry:
        """Return a mapping that stands in this entry's own place."""
        return self._entry(value, self.path)

    def each(self, name: str) -> list[Entry]:
        """Return the mappings of a list, none when there is no list."""
        return [
            self._entry(value, f"{self.at(name)}[{index}]") for index, value in enumerate(self._list(name))
        ]

    def require(self, *names: str) -> None:
        """Note every one of the fields that is missing."""
        self.problems += [FIELD_REQUIRED.at(self.at(name)) for name in names if name not in self.values]

    def wrong(self, name: str, cause: str) -> None:
        """Note that a field is wrong, and why."""
        self.problems.append(TYPE_DOCUMENT_WRONG.at(self.at(name), cause=cause))

    def at(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def close(self) -> None:
        """Note every field that nobody asked for."""
        for name in sorted(set(self.values) - self._read):
            self.wrong(name, "no such field")

    def _value(self, name: str, empty: object, default: object) -> object:
        self._read.add(name)
        if name not in self.values and default is None:
            self.problems.append(FIELD_REQUIRED.at(self.at(name)))
        found = self.values.get(name)
        return found if found is not None else default if default is not None else empty

    def _list(self, name: str) -> list[object]:
        value = self._value(name, [], [])
        if not isinstance(value, list) or len(value) > LIST_LIMIT:
            self.problems.append(FIELD_MALFORMED.at(self.at(name)))
            return []
        return value

    def _entry(self, value: object, path: str) -> Entry:
        if not isinstance(value, Mapping) or any(not isinstance(name, str) for name in value):
            self.problems.append(FIELD_MALFORMED.at(path))
            return Entry({}, path, [])  # what is missing inside is not said again
        return Entry(value, path, self.problems)
