"""The picture of a round official seal (公章): 42 mm, a star in the middle, the name on the upper arc.

Glyphs are drawn from their outlines as polygons, without a text engine, so the same name gives the same bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from fontTools.pens.basePen import decomposeQuadraticSegment
from fontTools.pens.recordingPen import DecomposingRecordingPen
from PIL import Image, ImageDraw

from chassis import fonts
from chassis.errors import Kind, declare
from services.seal.domain.structures import Picture

DIAMETER_MM = 42
_SIZE, _SCALE = 504, 4  # pixels of the picture, and the oversampling it is drawn with
_RED = (0xD0, 0x12, 0x12)
_LEVELS = 16
_ARC_DEGREES = 230.0  # wider runs into a lower text
_CURVE_STEPS = 6
_MOST_CHARACTERS = 40
_MAX_PIXELS, _MAX_BYTES = 16_000_000, 2 << 20
_DECODABLE = frozenset({"PNG", "GIF", "JPG", "JPEG", "BMP"})
_recording_pen: Any = DecomposingRecordingPen  # fontTools is untyped
_decompose: Any = decomposeQuadraticSegment
_Point = tuple[float, float]

SEAL_NAME_TOO_LONG = declare(
    "SEAL_NAME_TOO_LONG",
    Kind.INVALID_ARGUMENT,
    "印章名称应为 1 至 {limit} 字",
    "The name needs 1 to {limit} characters",
)


def round_seal(name: str) -> Picture:
    """Return the imprint of the authority `name`: a palette PNG of 16 steps of red, 42 × 42 mm.

    Raises:
        SEAL_NAME_TOO_LONG: No character or more than fit the arc.
        GLYPH_MISSING: The font does not cover the name.
    """
    if not 0 < len(name) <= _MOST_CHARACTERS:
        raise SEAL_NAME_TOO_LONG(limit=_MOST_CHARACTERS)
    side = _SIZE * _SCALE
    canvas = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(canvas)
    centre, radius = side / 2, side / 2
    draw.ellipse((2, 2, side - 3, side - 3), fill=255)
    edge = radius * 0.055
    draw.ellipse((2 + edge, 2 + edge, side - 3 - edge, side - 3 - edge), fill=0)
    draw.polygon(_star(centre, radius * 0.30), fill=255)
    for contour, is_hole in _lettering(name, centre, radius):
        draw.polygon(contour, fill=0 if is_hole else 255)
    return Picture("PNG", _png(canvas), DIAMETER_MM, DIAMETER_MM)


def _png(canvas: Image.Image) -> bytes:
    """Return the canvas as a palette of one colour in 16 steps of transparency."""
    small = canvas.reduce(_SCALE)
    indexed = small.point([round(value * (_LEVELS - 1) / 255) for value in range(256)])
    picture = Image.frombytes("P", indexed.size, indexed.tobytes())
    picture.putpalette(bytes(_RED) * _LEVELS)
    steps = bytes(round(level * 255 / (_LEVELS - 1)) for level in range(_LEVELS))
    target = io.BytesIO()
    picture.save(target, "PNG", bits=4, transparency=steps, compress_level=9)
    return target.getvalue()


def _star(centre: float, radius: float) -> list[_Point]:
    inner = radius * math.sin(math.radians(18)) / math.sin(math.radians(126))
    return [_polar(centre, radius if corner % 2 == 0 else inner, -90 + 36 * corner) for corner in range(10)]


def _polar(centre: float, radius: float, degrees: float) -> _Point:
    angle = math.radians(degrees)
    return centre + radius * math.cos(angle), centre + radius * math.sin(angle)


def _lettering(name: str, centre: float, radius: float) -> Iterable[tuple[list[_Point], bool]]:
    """Yield the contours of the name, its feet towards the star, outer contours before the holes in them."""
    outer = radius * 0.90
    span = min(_ARC_DEGREES, 26.0 * max(len(name) - 1, 0))
    step = span / max(len(name) - 1, 1)
    height = radius * 0.30
    room = math.radians(step) * (outer - height) if len(name) > 1 else height
    width = min(height * 0.95, room * 0.98)
    for position, char in enumerate(name):
        angle = math.radians(-span / 2 + position * step)
        for contour, is_hole in _outline(char):
            yield [_on_arc(point, angle, centre, outer - height, width, height) for point in contour], is_hole


def _on_arc(point: _Point, angle: float, centre: float, foot: float, width: float, height: float) -> _Point:
    """Turn a point of the unit em square around the seal's centre."""
    along, up = (point[0] - 0.5) * width, foot + point[1] * height
    return (
        centre + along * math.cos(angle) + up * math.sin(angle),
        centre + along * math.sin(angle) - up * math.cos(angle),
    )


@lru_cache(maxsize=512)
def _outline(char: str) -> tuple[tuple[tuple[_Point, ...], bool], ...]:
    """Return a glyph's contours in the unit square, largest first, and whether each is a hole (counter-clockwise)."""
    absent = fonts.missing(char)
    if absent:
        raise fonts.GLYPH_MISSING(characters=char)
    font = fonts.font()
    glyphs = font.getGlyphSet()
    pen = _recording_pen(glyphs)
    glyph = font.getBestCmap()[ord(char)]
    glyphs[glyph].draw(pen)
    em, advance = font["head"].unitsPerEm, font["hmtx"][glyph][0]
    shift, drop = (em - advance) / 2, font["OS/2"].sTypoDescender
    contours = [_flatten(steps) for steps in _contours(pen.value)]
    placed = [tuple(((x + shift) / em, (y - drop) / em) for x, y in contour) for contour in contours]
    ordered = sorted(placed, key=lambda contour: -abs(_area(contour)))
    return tuple((contour, _area(contour) > 0) for contour in ordered if len(contour) > 2)


def _contours(record: list[tuple[str, tuple[Any, ...]]]) -> Iterable[list[tuple[str, tuple[Any, ...]]]]:
    current: list[tuple[str, tuple[Any, ...]]] = []
    for operation, points in record:
        if operation in {"closePath", "endPath"}:
            yield current
            current = []
        else:
            current.append((operation, points))


def _flatten(steps: list[tuple[str, tuple[Any, ...]]]) -> list[_Point]:
    """Return a contour of lines and quadratic curves as a polygon."""
    path: list[_Point] = []
    for operation, points in steps:
        if operation in {"moveTo", "lineTo"}:
            path.append(points[0])
            continue
        for control, end in _quadratics(points, path):
            start = path[-1]
            path += [_bezier(start, control, end, step / _CURVE_STEPS) for step in range(1, _CURVE_STEPS + 1)]
    return path


def _quadratics(points: tuple[Any, ...], path: list[_Point]) -> list[tuple[_Point, _Point]]:
    """Return TrueType's runs of control points as single curves; a contour may have no point on the curve."""
    if points[-1] is None:
        off = points[:-1]
        path.append(((off[-1][0] + off[0][0]) / 2, (off[-1][1] + off[0][1]) / 2))
        points = (*off, path[-1])
    return list(_decompose(points))


def _bezier(start: _Point, control: _Point, end: _Point, at: float) -> _Point:
    rest = 1 - at
    x, y = (
        rest * rest * start[axis] + 2 * rest * at * control[axis] + at * at * end[axis] for axis in (0, 1)
    )
    return x, y


def _area(contour: tuple[_Point, ...]) -> float:
    """Return the signed area: negative for the clockwise outer contours of TrueType."""
    return (
        sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(contour, (*contour[1:], contour[0]), strict=True))
        / 2
    )


def decodes(picture: Picture) -> bool:
    """Return whether the picture is of a kind that is decoded here, and decodes within bounds."""
    if picture.kind.upper() not in _DECODABLE or len(picture.data) > _MAX_BYTES:
        return False
    return _decodes(picture.data)


@lru_cache(maxsize=32)
def _decodes(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > _MAX_PIXELS:
                return False
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return False
    return True
