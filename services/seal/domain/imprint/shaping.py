"""From a design to its drawing: rings, star, names on arcs, lines, columns; all measures are millimetres."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import singledispatch
from itertools import pairwise

from services.seal.domain.imprint.designs import NameDesign, OvalDesign, PlateDesign, RoundDesign
from services.seal.domain.imprint.drawing import Drawing, Point, Shape, ellipse, frame, straight
from services.seal.domain.imprint.glyphs import advance, glyph

_ARC_DEGREES = 230.0  # wider runs into a lower text
_NUMBER_DEGREES = 100.0
_OVAL_DEGREES, _OVAL_NUMBER_DEGREES = 200.0, 80.0
_STEP_DEGREES = 26.0  # between the characters of a short name
_EDGE, _OUTER, _NAME_HEIGHT = 0.055, 0.90, 0.30  # shares of the radius
_SAMPLES = 720  # points an ellipse is measured by


@singledispatch
def draw(design: object) -> Drawing:
    """Return the drawing of a design.

    Raises:
        GLYPH_MISSING: The font does not cover the text.
    """
    raise TypeError(type(design))


@draw.register
def _round(design: RoundDesign) -> Drawing:
    radius = design.diameter_mm / 2
    centre = (radius, radius)
    shapes = [_ring(centre, radius, radius), *_arc_name(design.name, centre, radius, radius)]
    shapes += _arc_number(design.number, centre, radius, radius)
    if design.has_star:
        lift = radius * 0.06 if design.line else 0.0
        shapes.append(_star((radius, radius - lift), radius * 0.30))
        shapes += _line(design.line, (radius, radius * 1.52), radius * 0.2, radius * 1.15)
    else:
        shapes += _line(design.line, (radius, radius * 1.05), radius * 0.24, radius * 1.1)
    return Drawing(design.diameter_mm, design.diameter_mm, tuple(shapes))


@draw.register
def _oval(design: OvalDesign) -> Drawing:
    half_width, half_height = design.width_mm / 2, design.height_mm / 2
    centre = (half_width, half_height)
    span = _OVAL_DEGREES if design.number else _ARC_DEGREES
    shapes = [_ring(centre, half_width, half_height)]
    shapes += _arc_name(design.name, centre, half_width, half_height, span)
    shapes += _arc_number(design.number, centre, half_width, half_height, _OVAL_NUMBER_DEGREES)
    shapes += _line(design.line, (half_width, half_height * 1.08), half_height * 0.28, half_width * 1.1)
    return Drawing(design.width_mm, design.height_mm, tuple(shapes))


@draw.register
def _name(design: NameDesign) -> Drawing:
    """Columns run from right to left, characters downwards; of three, the surname takes the right column alone."""
    text, side = design.name + design.suffix, float(design.side_mm)
    line = side * 0.06
    margin = line * 1.6
    cell = (side - 2 * margin) / 2
    split = 2 if len(text) == 4 else 1
    shapes = [frame(side, side, line)]
    for column, chars in enumerate((text[:split], text[split:])):
        left, height = margin + (1 - column) * cell, 2 * cell / len(chars)
        shapes += [
            _in_box(char, (left, margin + row * height), cell * 0.96, height * 0.96)
            for row, char in enumerate(chars)
        ]
    return Drawing(design.side_mm, design.side_mm, tuple(shapes))


@draw.register
def _plate(design: PlateDesign) -> Drawing:
    width, height = float(design.width_mm), float(design.height_mm)
    line = min(width, height) * 0.06
    room = height - 4 * line
    pitch = room / len(design.lines)
    shapes = [frame(width, height, line)]
    for row, text in enumerate(design.lines):
        middle = 2 * line + (row + 0.5) * pitch
        shapes += _line(text, (width / 2, middle), pitch * 0.84, width - 5 * line)
    return Drawing(design.width_mm, design.height_mm, tuple(shapes))


def _ring(centre: Point, half_width: float, half_height: float) -> Shape:
    line = min(half_width, half_height) * _EDGE
    inside = ellipse(centre, half_width - line, half_height - line, is_hole=True)
    return ellipse(centre, half_width, half_height), inside


def _star(centre: Point, radius: float) -> Shape:
    inner = radius * math.sin(math.radians(18)) / math.sin(math.radians(126))
    corners = []
    for corner in range(10):
        reach, angle = radius if corner % 2 == 0 else inner, math.radians(-90 + 36 * corner)
        corners.append((centre[0] + reach * math.cos(angle), centre[1] + reach * math.sin(angle)))
    return (straight(corners),)


def _arc_name(
    name: str, centre: Point, half_width: float, half_height: float, most_degrees: float = _ARC_DEGREES
) -> Iterator[Shape]:
    """Yield the name along the upper arc from left to right, its feet towards the middle."""
    least = min(half_width, half_height)
    height = least * _NAME_HEIGHT
    gap = least * (1 - _OUTER) + height
    foot = (half_width - gap, half_height - gap)
    span = min(most_degrees, _STEP_DEGREES * max(len(name) - 1, 0))
    places = _spread(len(name), span, foot)
    room = _pitch(places, foot) if len(name) > 1 else height
    width = min(height * 0.95, room * 0.98)
    for char, angle in zip(name, places, strict=True):
        yield _on_arc(char, angle, centre, foot, width, height)


def _arc_number(
    number: str, centre: Point, half_width: float, half_height: float, most_degrees: float = _NUMBER_DEGREES
) -> Iterator[Shape]:
    """Yield the digits along the lower arc from left to right, their heads towards the middle."""
    least = min(half_width, half_height)
    height = least * 0.11
    foot = (half_width - least * 0.09, half_height - least * 0.09)
    span = min(most_degrees, 6.5 * max(len(number) - 1, 0))
    for char, angle in zip(number, _spread(len(number), span, foot), strict=True):
        yield _on_arc(char, math.pi - angle, centre, foot, height, height, inwards=True)


def _spread(count: int, span_degrees: float, half: tuple[float, float]) -> list[float]:
    """Return for each character its angle from the top, equally far apart along the ellipse."""
    if count < 2:
        return [0.0] * count
    limit = math.radians(span_degrees) / 2
    samples = [-limit + 2 * limit * n / _SAMPLES for n in range(_SAMPLES + 1)]
    lengths = [0.0]
    for before, after in pairwise(samples):
        lengths.append(lengths[-1] + math.dist(_rim(before, half), _rim(after, half)))
    found, at = [], 0
    for number in range(count):
        wanted = lengths[-1] * number / (count - 1)
        while at < _SAMPLES and lengths[at] < wanted:
            at += 1
        found.append(samples[at])
    return found


def _pitch(places: list[float], half: tuple[float, float]) -> float:
    return min(math.dist(_rim(a, half), _rim(b, half)) for a, b in pairwise(places))


def _rim(angle: float, half: tuple[float, float]) -> Point:
    """Return the point of an ellipse around the origin at a parameter counted from its top."""
    return half[0] * math.sin(angle), -half[1] * math.cos(angle)


def _on_arc(
    char: str,
    angle: float,
    centre: Point,
    half: tuple[float, float],
    width: float,
    height: float,
    *,
    inwards: bool = False,
) -> Shape:
    """Return the glyph with its feet on the ellipse, upright along the outward (or inward) normal."""
    x, y = _rim(angle, half)
    normal = (x / half[0] ** 2, y / half[1] ** 2)
    length = math.hypot(*normal) * (-1 if inwards else 1)
    up = (normal[0] / length, normal[1] / length)

    def place(point: Point) -> Point:
        along, high = (point[0] - 0.5) * width, point[1] * height
        return centre[0] + x - along * up[1] + high * up[0], centre[1] + y + along * up[0] + high * up[1]

    return tuple(contour.moved(place) for contour in glyph(char))


def _line(text: str, middle: Point, height: float, room: float) -> list[Shape]:
    """Return one level line, centred on a point, made narrower where it would not fit."""
    steps = [advance(char) for char in text]
    whole = sum(steps) * height
    narrow = min(1.0, room / whole) if whole else 1.0
    left = middle[0] - whole * narrow / 2
    shapes = []
    for char, step in zip(text, steps, strict=True):
        width = step * height * narrow
        em = height * narrow
        shapes.append(_in_box(char, (left + (width - em) / 2, middle[1] - height / 2), em, height))
        left += width
    return shapes


def _in_box(char: str, corner: Point, width: float, height: float) -> Shape:
    """Return the glyph with its em square stretched over a box."""
    return tuple(
        contour.moved(lambda point: (corner[0] + point[0] * width, corner[1] + (1 - point[1]) * height))
        for contour in glyph(char)
    )
