"""What the names of an imported row's fields say, whatever their values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from services.certs.domain.metadata import FACE_PREFIX, MANDATORY, OPTIONAL
from standards.annotated_copy import ANNOTATED_COPY

FACE_FIELDS_LIMIT = 100
FIELD_NAME_LIMIT = 64
_MANDATORY, _COPY = frozenset(MANDATORY), frozenset(ANNOTATED_COPY)
_KNOWN = frozenset((*MANDATORY, *OPTIONAL, *ANNOTATED_COPY))


class Names(NamedTuple):
    """The names of one row: those of its face, in their order, and whether anything is wrong with any."""

    face: tuple[str, ...]
    are_ordinary: bool
    """Few, short, and nothing in them but what can be printed."""
    are_complete: bool
    """No mandatory one is missing, and none is of an annotated copy."""
    are_known: bool


def names_of(given: Mapping[str, str]) -> Names:
    """Return what a row's names say; the rows of a register have the same, thousands of times."""
    names = tuple(given)
    return _kept(names) if _are_few_and_short(names) else _read(names)


def _are_few_and_short(names: tuple[str, ...]) -> bool:
    return len(names) <= FACE_FIELDS_LIMIT and max(map(len, names), default=0) <= FIELD_NAME_LIMIT


def _read(names: tuple[str, ...]) -> Names:
    face = tuple(name for name in names if name.startswith(FACE_PREFIX))
    return Names(
        face,
        _are_few_and_short(names) and "".join(names).isprintable(),
        _MANDATORY.issubset(names) and _COPY.isdisjoint(names),
        _KNOWN.issuperset(set(names).difference(face)),
    )


_kept = lru_cache(maxsize=64)(_read)
