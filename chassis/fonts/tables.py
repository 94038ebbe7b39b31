"""The tables of a TrueType font that hang on its glyphs, as the OpenType specification lays them out.

Each starts from one that fontTools made, or is short enough to be written whole; all are big-endian.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from typing import Any, NamedTuple

from fontTools.ttLib import getSearchRange
from fontTools.ttLib.tables._c_m_a_p import cmap_format_4
from fontTools.ttLib.tables.O_S_2f_2 import intersectUnicodeRanges

_cmap: Any = cmap_format_4  # fontTools is untyped
_ranges: Any = intersectUnicodeRanges
_search_range: Any = getSearchRange
ORDER = ("head", "hhea", "maxp", "OS/2", "hmtx", "cmap", "loca", "glyf", "name", "post")
_SHORT_OFFSETS_END = 0x20000
_CHECKSUM_MAGIC = 0xB1B0AFBA


class Glyph(NamedTuple):
    """A glyph as it lies in the file, with what the tables say of it; `parts` are (place, glyph) of components.

    `end` is where the outline ends, `after` what is left from there to the next glyph. Of the two kinds of size
    the one that is not the glyph's is 0: drawn itself, or composed.
    """

    data: bytes
    advance: int
    bearing: int
    left: int = 0
    bottom: int = 0
    right: int = 0
    top: int = 0
    end: int = 0
    after: int = 0
    points: int = 0
    contours: int = 0
    composed_points: int = 0
    composed_contours: int = 0
    part_count: int = 0
    depth: int = 0
    parts: tuple[tuple[int, int], ...] = ()


class Columns(NamedTuple):
    """The same of many glyphs, field by field."""

    data: tuple[bytes, ...]
    advance: tuple[int, ...]
    bearing: tuple[int, ...]
    left: tuple[int, ...]
    bottom: tuple[int, ...]
    right: tuple[int, ...]
    top: tuple[int, ...]
    end: tuple[int, ...]
    after: tuple[int, ...]
    points: tuple[int, ...]
    contours: tuple[int, ...]
    composed_points: tuple[int, ...]
    composed_contours: tuple[int, ...]
    part_count: tuple[int, ...]
    depth: tuple[int, ...]
    parts: tuple[tuple[tuple[int, int], ...], ...]


def columns(glyphs: Iterable[Glyph]) -> Columns:
    """Return the fields of at least one glyph as columns."""
    return Columns(*zip(*glyphs, strict=True))


def outlines(outlines: list[bytes]) -> tuple[bytes, list[int]]:
    """Return the glyf table and its offsets; glyphs are made even where that allows offsets of two bytes."""
    even = [data + b"\0" if len(data) & 1 else data for data in outlines]
    if sum(map(len, even)) < _SHORT_OFFSETS_END:
        outlines = even
    return b"".join(outlines) or b"\0", [0, *accumulate(map(len, outlines))]


def offset_table(offsets: list[int]) -> bytes:
    """Return the loca table: offsets of two bytes where they suffice."""
    if offsets[-1] < _SHORT_OFFSETS_END and not any(offset & 1 for offset in offsets):
        return _big_endian("H", [offset // 2 for offset in offsets])
    return _big_endian("I", offsets)


def _big_endian(kind: str, values: Iterable[int]) -> bytes:
    packed = array(kind, values)
    if sys.byteorder != "big":
        packed.byteswap()
    return packed.tobytes()


def long_metrics(advances: Sequence[int]) -> int:
    """Return how many glyphs state their advance; those after have that of the last one."""
    count = len(advances)
    while count > 1 and advances[count - 2] == advances[-1]:
        count -= 1
    return count


def hmtx(glyphs: Columns, with_advance: int) -> bytes:
    """Return the horizontal metrics, the advance of the first `with_advance` glyphs only."""
    pairs = zip(glyphs.advance[:with_advance], glyphs.bearing, strict=False)
    stated = struct.pack(f">{'Hh' * with_advance}", *chain.from_iterable(pairs))
    return stated + _big_endian("h", glyphs.bearing[with_advance:])


def head(fixed: bytes, drawn: Columns, *, is_long: bool) -> bytes:
    """Return the head table with the bounds of all glyphs, whether they start at their bearing, the form of loca."""
    table = bytearray(fixed)
    (flags,) = struct.unpack_from(">H", table, 16)
    struct.pack_into(">H", table, 16, flags | 2 if drawn.left == drawn.bearing else flags & ~2)
    bounds = min(drawn.left), min(drawn.bottom), max(drawn.right), max(drawn.top)
    struct.pack_into(">4h", table, 36, *bounds)
    struct.pack_into(">h", table, 50, is_long)
    return bytes(table)


def hhea(fixed: bytes, glyphs: Columns, drawn: Columns, with_advance: int) -> bytes:
    """Return the horizontal header with the extremes of the metrics."""
    table = bytearray(fixed)
    extremes = max(glyphs.advance), min(drawn.bearing), min(drawn.after), max(drawn.end)
    struct.pack_into(">H3h", table, 10, *extremes)
    struct.pack_into(">H", table, 34, with_advance)
    return bytes(table)


def maxp(fixed: bytes, glyphs: Columns) -> bytes:
    """Return the maximum profile: what the largest glyph needs."""
    table = bytearray(fixed)
    composed = max(glyphs.composed_points), max(glyphs.composed_contours)
    struct.pack_into(">5H", table, 4, len(glyphs.data), max(glyphs.points), max(glyphs.contours), *composed)
    struct.pack_into(">2H", table, 28, max(glyphs.part_count), max(glyphs.depth))
    return bytes(table)


def os2(fixed: bytes, glyphs: Columns, codes: Mapping[int, int]) -> bytes:
    """Return the OS/2 table with the mean advance, the Unicode ranges and the first and last character."""
    table = bytearray(fixed)
    wide = [advance for advance in glyphs.advance if advance > 0]
    struct.pack_into(">h", table, 2, int(sum(wide) / len(wide) + 0.5) if wide else 0)
    bits = sum(set(map(_range_bit, codes)))
    struct.pack_into(">4L", table, 42, *(bits >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96)))
    if codes:
        struct.pack_into(">2H", table, 64, min(codes), max(codes))
    return bytes(table)


@lru_cache(maxsize=1 << 16)
def _range_bit(code: int) -> int:
    return sum(1 << bit for bit in _ranges([code]))
