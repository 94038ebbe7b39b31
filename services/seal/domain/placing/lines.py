"""Text objects that stand on one line of a page, joined in reading order: many makers write an object a word."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.seal.domain.placing.page_text import Character

_WIDEST_GAP, _DEEPEST_OVERLAP = 1.5, 0.5  # in heights of the text, between neighbours
_SAME_BASELINE = 0.15  # in heights of the text
_OPEN_RUNS = 8
"""Of one line, where text is drawn over text: a page of one thousand layers must not cost a million steps."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A character without white space, and where it was written: the object and its place in that."""

    character: Character
    written: tuple[int, int]


def read_lines(objects: Iterable[Sequence[Character]]) -> Iterator[list[Placed]]:
    """Yield the solid characters in runs: neighbours on one baseline from left to right are one run.

    An object that is turned, or stands on several lines itself, is a run of its own, as it was written.
    """
    flat: list[list[Placed]] = []
    for number, characters in enumerate(objects):
        run = [Placed(each, (number, at)) for at, each in enumerate(characters) if not each.char.isspace()]
        if not run:
            continue
        if _is_on_one_line(run):
            flat.append(run)
        else:
            yield run
    for line in _lines(flat):
        yield from _runs(line)


def _is_on_one_line(run: Sequence[Placed]) -> bool:
    baselines = [each.character.baseline_mm for each in run]
    first = baselines[0]
    near = _SAME_BASELINE * _height(run[0])
    lefts = [each.character.box_mm[0] for each in run]
    return (
        first is not None
        and all(each is not None and abs(each - first) <= near for each in baselines)
        and lefts == sorted(lefts)
    )


def _lines(flat: list[list[Placed]]) -> Iterator[list[list[Placed]]]:
    """Yield the objects of each baseline."""
    flat.sort(key=_baseline)
    line: list[list[Placed]] = []
    for run in flat:
        if line and _baseline(run) - _baseline(line[0]) > _SAME_BASELINE * _height(line[0][0]):
            yield line
            line = []
        line.append(run)
    if line:
        yield line


def _runs(line: list[list[Placed]]) -> Iterator[list[Placed]]:
    """Yield the objects of a line joined where one begins about where another ends."""
    line.sort(key=lambda run: run[0].character.box_mm[0])
    runs: deque[list[Placed]] = deque()
    for each in line:
        before = min(
            (run for run in runs if _follows(run, each)), key=lambda run: abs(_gap(run, each)), default=None
        )
        if before is not None:
            before += each
            continue
        if len(runs) == _OPEN_RUNS:
            yield runs.popleft()
        runs.append(list(each))
    yield from runs


def _follows(run: Sequence[Placed], each: Sequence[Placed]) -> bool:
    height = min(_height(run[-1]), _height(each[0]))
    return -_DEEPEST_OVERLAP * height <= _gap(run, each) <= _WIDEST_GAP * height


def _gap(run: Sequence[Placed], each: Sequence[Placed]) -> float:
    return each[0].character.box_mm[0] - run[-1].character.box_mm[2]


def _height(placed: Placed) -> float:
    _, top, _, bottom = placed.character.box_mm
    return bottom - top


def _baseline(run: Sequence[Placed]) -> float:
    return run[0].character.baseline_mm or 0.0
