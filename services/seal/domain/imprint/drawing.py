"""A drawing of filled outlines in millimetres, painted as a palette PNG or written as SVG; same drawing, same bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PIL import Image, ImageDraw

from services.seal.domain.structures import Picture

Point = tuple[float, float]
PIXELS_PER_MM = 12  # 305 dpi
_SCALE = 4  # what a pixel is oversampled by in each direction
_RED = (0xD0, 0x12, 0x12)
LEVELS = 16
_CURVE_STEPS = 6
_ROUND_STEPS = 24  # quadratic curves that make up an ellipse: off by less than a micrometre


@dataclass(frozen=True, slots=True)
class Contour:
    """A closed outline of lines (control None) and quadratic curves; a hole takes away what lies below it."""

    start: Point
    steps: tuple[tuple[Point | None, Point], ...]
    is_hole: bool = False

    def moved(self, place: Callable[[Point], Point]) -> Contour:
        """Return the outline with every point placed anew; `place` must keep straight lines straight."""
        steps = tuple((control and place(control), place(end)) for control, end in self.steps)
        return Contour(place(self.start), steps, self.is_hole)

    def polygon(self) -> list[Point]:
        """Return the outline with its curves cut into short lines."""
        path = [self.start]
        for control, end in self.steps:
            if control is None:
                path.append(end)
                continue
            start = path[-1]
            path += [_bezier(start, control, end, step / _CURVE_STEPS) for step in range(1, _CURVE_STEPS + 1)]
        return path


Shape = tuple[Contour, ...]
"""Outlines that belong together: a glyph, a ring; holes follow what they are cut from."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes on a sheet of whole millimetres, origin at the top left."""

    width_mm: int
    height_mm: int
    shapes: tuple[Shape, ...]


def as_picture(drawing: Drawing) -> Picture:
    """Return the drawing as a palette PNG of 16 steps of red at 305 dpi."""
    side = PIXELS_PER_MM * _SCALE
    canvas = Image.new("L", (drawing.width_mm * side, drawing.height_mm * side), 0)
    pen = ImageDraw.Draw(canvas)
    for shape in drawing.shapes:
        for contour in shape:
            points = [(x * side, y * side) for x, y in contour.polygon()]
            pen.polygon(points, fill=0 if contour.is_hole else 255)
    return Picture("PNG", palette_png(canvas.reduce(_SCALE), _RED), drawing.width_mm, drawing.height_mm)


def palette_png(opacity: Image.Image, colour: tuple[int, int, int]) -> bytes:
    """Return one colour in 16 steps of transparency as a palette PNG of 4 bits per pixel."""
    indexed = opacity.point([round(value * (LEVELS - 1) / 255) for value in range(256)])
    picture = Image.frombytes("P", indexed.size, indexed.tobytes())
    picture.putpalette(bytes(colour) * LEVELS)
    steps = bytes(round(level * 255 / (LEVELS - 1)) for level in range(LEVELS))
    target = io.BytesIO()
    picture.save(target, "PNG", bits=4, transparency=steps, compress_level=9)
    return target.getvalue()


def as_svg(drawing: Drawing) -> bytes:
    """Return the drawing as SVG of outlines: no font, script or link, for printing and engraving."""
    paths = "".join(f'<path d="{"".join(map(_path, shape))}"/>' for shape in drawing.shapes)
    width, height = drawing.width_mm, drawing.height_mm
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" '
        f'viewBox="0 0 {width * 100} {height * 100}"><g fill="#{bytes(_RED).hex()}">{paths}</g></svg>'
    ).encode()


def ellipse(centre: Point, half_width: float, half_height: float, *, is_hole: bool = False) -> Contour:
    """Return an ellipse; a hole runs the other way round, as SVG's fill rule wants it."""
    turn = -1 if is_hole else 1
    step = math.pi / _ROUND_STEPS
    reach = 1 / math.cos(step)

    def at(number: int, factor: float) -> Point:
        angle = turn * number * step
        return (
            centre[0] + factor * half_width * math.cos(angle),
            centre[1] + factor * half_height * math.sin(angle),
        )

    steps = tuple((at(2 * n + 1, reach), at(2 * n + 2, 1.0)) for n in range(_ROUND_STEPS))
    return Contour(at(0, 1.0), steps, is_hole)


def straight(points: Iterable[Point], *, is_hole: bool = False) -> Contour:
    """Return a polygon."""
    first, *rest = points
    return Contour(first, tuple((None, point) for point in rest), is_hole)


def frame(width: float, height: float, line: float) -> Shape:
    """Return a rectangle's border of the given line width along the sheet's edges."""
    right, bottom = width - line, height - line
    return (
        straight([(0, 0), (width, 0), (width, height), (0, height)]),
        straight([(line, line), (line, bottom), (right, bottom), (right, line)], is_hole=True),
    )


def _path(contour: Contour) -> str:
    """Return SVG path data in hundredths of a millimetre."""
    words = [f"M{_pair(contour.start)}"]
    for control, end in contour.steps:
        words.append(f"L{_pair(end)}" if control is None else f"Q{_pair(control)} {_pair(end)}")
    return "".join(words) + "Z"


def _pair(point: Point) -> str:
    return f"{round(point[0] * 100)} {round(point[1] * 100)}"


def _bezier(start: Point, control: Point, end: Point, at: float) -> Point:
    rest = 1 - at
    x, y = (
        rest * rest * start[axis] + 2 * rest * at * control[axis] + at * at * end[axis] for axis in (0, 1)
    )
    return x, y
