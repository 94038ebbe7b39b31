"""A leaf of the transparency log and the bytes that are hashed for it (RFC 8785).

A leaf is for ever, so nothing in it may be personal: ids, codes, digests, times and counts only. What it
commits to is hidden by a salt that is kept beside it and can be deleted with the licence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from pydantic_core import to_json

FORM = 1
"""The form of leaves; a reader that knows another one must not guess."""
LARGEST_INTEGER = 2**53 - 1
"""What RFC 8785 (I-JSON) can hold without loss."""
_KIND = re.compile(r"[a-z][a-z_]{0,31}")
_WORD = re.compile(r"[A-Za-z0-9_.:/+=@-]{0,160}")
"""What ids, codes, times and digests are written in: no name and no sentence passes."""
_LINES = re.compile(rf"{_WORD.pattern}(?:\n{_WORD.pattern})*")
"""Words, one a line, looked at in one go: every use has seven of them."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One line of the log (日志叶): what happened to which licence, when, as ids, codes and digests.

    ``salt`` hides what a digest among the facts commits to; it is stored beside the leaf, never in it.
    """

    kind: str
    licence_id: str
    at: datetime
    facts: Mapping[str, str | int]
    salt: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Refuse, as a programming error, what could carry personal data or has no one form."""
        texts = [self.licence_id]
        for name, value in self.facts.items():
            if isinstance(value, str):
                texts.append(value)
            elif type(value) is not int or abs(value) > LARGEST_INTEGER:  # a bool is an int to isinstance
                message = f"fact {name} of a leaf is no text and no whole number that JSON can hold"
                raise TypeError(message)
        lines = "\n".join(texts)
        words = _LINES.fullmatch(lines) and lines.count("\n") == len(texts) - 1
        if not words or not _are_kinds((self.kind, *self.facts)) or self.at.tzinfo is None:
            message = f"not the words of a leaf: {', '.join(_wrong(self)) or 'a time without zone'}"
            raise ValueError(message)


def leaf_bytes(leaf: Leaf) -> bytes:
    """Return the canonical JSON of a leaf: for ASCII names, texts and integers this is RFC 8785."""
    return to_json(
        {
            "at": moment(leaf.at),
            "facts": {name: leaf.facts[name] for name in sorted(leaf.facts)},
            "form": FORM,
            "kind": leaf.kind,
            "licence_id": leaf.licence_id,
        }
    )


def is_word(text: str) -> bool:
    """Say whether a text may stand in a leaf."""
    return _WORD.fullmatch(text) is not None


@lru_cache(maxsize=64)  # the leaves of an import are of one moment
def moment(at: datetime) -> str:
    """Return a time as leaves write it: UTC, microseconds, ``Z``."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


@lru_cache(maxsize=256)
def _are_kinds(names: tuple[str, ...]) -> bool:
    return all(map(_KIND.fullmatch, names))


def _wrong(leaf: Leaf) -> list[str]:
    """Return what of a leaf is no word, or no name, by its name."""
    texts = {"licence_id": leaf.licence_id, **leaf.facts}
    words = [name for name, value in texts.items() if isinstance(value, str) and not _WORD.fullmatch(value)]
    return words + [name for name in (leaf.kind, *leaf.facts) if not _KIND.fullmatch(name)]
