"""Glyphs of the shipped font as outlines in the unit square, without a text engine."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from fontTools.pens.basePen import decomposeQuadraticSegment
from fontTools.pens.recordingPen import DecomposingRecordingPen

from chassis import fonts
from services.seal.domain.imprint.drawing import Contour, Point, Shape

_recording_pen: Any = DecomposingRecordingPen  # fontTools is untyped
_decompose: Any = decomposeQuadraticSegment
_Steps = list[tuple[str, tuple[Any, ...]]]


@lru_cache(maxsize=512)
def glyph(char: str) -> Shape:
    """Return a glyph centred in the unit square, y upwards, outer contours before the holes in them.

    Raises:
        GLYPH_MISSING: The font has no such glyph.
    """
    if fonts.missing(char) or not char.isprintable():
        raise fonts.GLYPH_MISSING(characters=char)
    font = fonts.font()
    glyphs = font.getGlyphSet()
    pen = _recording_pen(glyphs)
    name = font.getBestCmap()[ord(char)]
    glyphs[name].draw(pen)
    em, advance = font["head"].unitsPerEm, font["hmtx"][name][0]
    shift, drop = (em - advance) / 2, font["OS/2"].sTypoDescender
    placed = [
        _contour(steps).moved(lambda point: ((point[0] + shift) / em, (point[1] - drop) / em))
        for steps in _contours(pen.value)
    ]
    solid = [contour for contour in placed if len(contour.polygon()) > 2]
    ordered = sorted(solid, key=lambda contour: -abs(_area(contour.polygon())))
    return tuple(Contour(contour.start, contour.steps, _area(contour.polygon()) > 0) for contour in ordered)


@lru_cache(maxsize=512)
def advance(char: str) -> float:
    """Return how far the pen moves for the character, in em."""
    return fonts.advances(char)[0]


def _contours(record: _Steps) -> Iterable[_Steps]:
    current: _Steps = []
    for operation, points in record:
        if operation in {"closePath", "endPath"}:
            yield current
            current = []
        else:
            current.append((operation, points))


def _contour(steps: _Steps) -> Contour:
    """Return a contour of lines and TrueType's quadratic runs."""
    start: Point | None = None
    found: list[tuple[Point | None, Point]] = []
    for operation, points in steps:
        if operation == "moveTo":
            start = points[0]
        elif operation == "lineTo":
            found.append((None, points[0]))
        else:
            if points[-1] is None:  # no point lies on the curve
                off = points[:-1]
                start = ((off[-1][0] + off[0][0]) / 2, (off[-1][1] + off[0][1]) / 2)
                points = (*off, start)  # noqa: PLW2901 - the same run with its implied end
            found += _decompose(points)
    return Contour(start or (0.0, 0.0), tuple(found))


def _area(polygon: list[Point]) -> float:
    """Return the signed area: negative for the clockwise outer contours of TrueType."""
    following = [*polygon[1:], polygon[0]]
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(polygon, following, strict=True)) / 2
