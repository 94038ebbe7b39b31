"""Names what became of a sequence: which of its members were changed, taken out, moved or cut off.

Members are told by their hashes. The longest run of members still in their order stays put; what is
between two that stayed is compared with what should be between them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Damage(StrEnum):
    """What was done to a log."""

    EDITED = "edited"
    DELETED = "deleted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    ADDED = "added"
    ALTERED_WITHIN = "altered_within"
    """Somewhere from an index on: the hashes were altered along with the leaves."""
    TREE_ALTERED = "tree_altered"
    CHECKPOINT_FORGED = "checkpoint_forged"
    CHECKPOINT_MISSING = "checkpoint_missing"
    SPLIT_VIEW = "split_view"
    """Two checkpoints of one size with other roots."""
    ROW_WITHOUT_LEAF = "row_without_leaf"
    ROW_ALTERED = "row_altered"
    LEAF_WITHOUT_ROW = "leaf_without_row"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong, and at which leaf; ``detail`` names more, ids and sizes only."""

    index: int
    damage: Damage
    detail: str = ""


def differences(actual: Sequence[bytes], expected: Sequence[bytes]) -> list[Finding]:
    """Return what makes a sequence another than expected, by the indices of what was expected."""
    first, end = _common(actual, expected)
    changed, wanted = actual[first : len(actual) - end], expected[first : len(expected) - end]
    places = _places(changed, wanted)
    stayed = _longest_run([(at, place) for at, place in enumerate(places) if place is not None])
    still = {at for at, _ in stayed}
    moved = {place: at for at, place in enumerate(places) if place is not None and at not in still}
    found = [Finding(first + n, Damage.REORDERED, f"stands at {first + at}") for n, at in moved.items()]
    taken = {place for _, place in stayed} | moved.keys()
    came, gone = 0, 0
    for at, place in [*stayed, (len(changed), len(wanted))]:
        fresh = sum(places[n] is None for n in range(came, at))
        lost = [first + n for n in range(gone, place) if n not in taken]
        is_last = place == len(wanted) and not end
        found += _between(fresh, lost, first + gone, len(expected) if is_last else None)
        came, gone = at + 1, place + 1
    return sorted(found)


def _between(fresh: int, lost: list[int], place: int, size: int | None) -> list[Finding]:
    """Return what became of the members between two that stayed; ``size`` where nothing should follow them."""
    edited, rest = lost[:fresh], lost[fresh:]
    found = [Finding(each, Damage.EDITED) for each in edited]
    found += [Finding(place, Damage.ADDED)] * (fresh - len(edited))
    if rest and size is not None and rest == list(range(rest[0], size)):
        return [*found, Finding(rest[0], Damage.TRUNCATED, f"{len(rest)} missing to the end")]
    return found + [Finding(each, Damage.DELETED) for each in rest]


def _common(actual: Sequence[bytes], expected: Sequence[bytes]) -> tuple[int, int]:
    """Return how many members are equal at the beginning, and how many of the rest at the end."""
    shorter = min(len(actual), len(expected))
    pairs = enumerate(zip(actual, expected, strict=False))
    first = next((n for n, (ours, theirs) in pairs if ours != theirs), shorter)
    rest = shorter - first
    return first, next((n for n in range(rest) if actual[-1 - n] != expected[-1 - n]), rest)


def _places(changed: Sequence[bytes], wanted: Sequence[bytes]) -> list[int | None]:
    """Return where each member should stand; None for one that should not be there."""
    known: defaultdict[bytes, deque[int]] = defaultdict(deque)
    for at, each in enumerate(wanted):
        known[each].append(at)
    return [known[each].popleft() if known[each] else None for each in changed]


def _longest_run(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of (place now, place before) in which both rise (patience sorting)."""
    tops: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for at, (_, place) in enumerate(pairs):
        pile = bisect_left(tops, place)
        before.append(ends[pile - 1] if pile else -1)
        tops[pile : pile + 1], ends[pile : pile + 1] = [place], [at]
    run, at = [], ends[-1] if ends else -1
    while at >= 0:
        run.append(pairs[at])
        at = before[at]
    return run[::-1]
