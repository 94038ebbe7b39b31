"""Where each character of a page stands: TextObject and TextCode of GB/T 33190-2016 clause 11, in millimetres."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from services.seal.domain.ofd.markup import XmlError, is_ofd, local, root_of

_ASCENT, _DESCENT = 0.88, 0.12  # of the em box, above and below the baseline
_NARROW = 0.5  # advance in em of what is not an ideograph, where the file states no distance
_MOST_CHARACTERS = 200_000  # of one object: a run "g 9999999 1" must not fill the memory
Box = tuple[float, float, float, float]
_Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Character:
    """One character and the box of its glyph on the page: left, top, right, bottom in millimetres."""

    char: str
    box_mm: Box

    baseline_mm: float | None
    """How far below the page's top the line stands that it is written on; None where that is turned or tilted."""


def text_objects(content: bytes) -> Iterator[list[Character]]:
    """Yield the characters of every text object of a page's (or template's) Content.xml, as written."""
    for element in root_of(content, "Page").iter():
        if is_ofd(element) and local(element) == "TextObject":
            yield _characters(element)


def _characters(element: Any) -> list[Character]:
    """Return the characters of all TextCodes of one object."""
    left, top, *_ = _numbers(element.get("Boundary", ""), 4)
    matrix = _matrix(element.get("CTM"))
    size = _number(element.get("Size"), 1.0)
    wide = size * _number(element.get("HScale"), 1.0)
    is_upright = matrix[1] == matrix[2] == 0 and min(matrix[0], matrix[3]) > 0
    found: list[Character] = []
    x = y = 0.0
    for code in element:
        if not is_ofd(code) or local(code) != "TextCode":
            continue
        x, y = _number(code.get("X"), x), _number(code.get("Y"), y)  # left out: those of the TextCode before
        for char, at_x, at_y, advance in _run(code, x, y, wide):
            corners = (at_x, at_y - _ASCENT * size, at_x + advance, at_y + _DESCENT * size)
            baseline = top + matrix[3] * at_y + matrix[5] if is_upright else None
            found.append(Character(char, _placed(corners, matrix, left, top), baseline))
        if len(found) > _MOST_CHARACTERS:
            raise XmlError("a text object that is too long")
    return found


def _run(code: Any, x: float, y: float, wide: float) -> Iterator[tuple[str, float, float, float]]:
    """Yield each character with its origin and width; distances state n-1 steps, the last one holds on."""
    text = "".join(code.itertext())
    steps = [_deltas(code.get(name), len(text)) for name in ("DeltaX", "DeltaY")]
    is_free = not any(steps)
    for index, char in enumerate(text):
        own = wide * (1.0 if ord(char) >= 0x2E80 else _NARROW)
        dx, dy = (values[min(index, len(values) - 1)] if values else 0.0 for values in steps)
        yield char, x, y, own
        x += own if is_free else dx
        y += dy


def _deltas(stated: str | None, limit: int) -> list[float]:
    """Return the distances, the form "g n d" (n times d) written out, no more than there are characters."""
    found: list[float] = []
    words = iter((stated or "").split())
    try:
        for word in words:
            if word == "g":
                count, value = int(next(words)), float(next(words))
                found += [value] * max(min(count, limit - len(found)), 0)
            else:
                found.append(float(word))
    except (StopIteration, ValueError, OverflowError):
        raise XmlError("a distance that is no number") from None
    return found[:limit]


def _placed(box: Box, matrix: _Matrix, left: float, top: float) -> Box:
    """Return the box on the page around a box of the object's own coordinates."""
    a, b, c, d, e, f = matrix
    corners = [(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs = [left + a * x + c * y + e for x, y in corners]
    ys = [top + b * x + d * y + f for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def surrounding(boxes: Iterable[Box]) -> Box:
    """Return the smallest box around all."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _matrix(stated: str | None) -> _Matrix:
    if stated is None:
        return 1.0, 0.0, 0.0, 1.0, 0.0, 0.0
    a, b, c, d, e, f = _numbers(stated, 6)
    return a, b, c, d, e, f


def _numbers(stated: str, count: int) -> list[float]:
    found = [_number(word, 0.0) for word in stated.split()]
    if len(found) != count:
        raise XmlError("not as many numbers as are due")
    return found


def _number(stated: str | None, default: float) -> float:
    if stated is None:
        return default
    try:
        value = float(stated)
    except ValueError:
        raise XmlError("a number that is none") from None
    if not abs(value) < 1e6:
        raise XmlError("a number beyond every page")
    return value
