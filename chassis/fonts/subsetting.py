"""Subsets of the repository's font, put together from the bytes of its glyphs.

fontTools makes the same bytes (the tests hold it to that), but takes a glyph apart into objects and builds it again
to do so: 20 ms for a page that differs from the last one in a name. Here glyphs are copied as they lie in the file.
What hangs on the selection is entered into tables that fontTools made once, as the OpenType specification places it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from operator import itemgetter
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib.sfnt import SFNTReader

from chassis.fonts.tables import (
    Glyph,
    columns,
    head,
    hhea,
    hmtx,
    long_metrics,
    maxp,
    offset_table,
    os2,
    outlines,
)
from chassis.fonts.wrapping import ORDER, cmap_table, font_file

_font_builder: Any = FontBuilder  # fontTools is untyped
_reader: Any = SFNTReader

FONT_DATE = 3_786_912_000  # seconds since 1904: 2024-01-01, fixed so that equal texts give equal bytes
_WORDS, _MORE = 0x0001, 0x0020
_SCALES = ((0x0008, 2), (0x0040, 4), (0x0080, 8))
"""Flags of a component: two-byte arguments, another one follows, bytes of the scale (OpenType, glyf)."""
_NOTDEF = 0


class Subsetter:
    """Cuts subsets out of one TrueType font, without hinting; it keeps the glyphs it has met."""

    def __init__(self, whole: Any) -> None:
        self._glyf: bytes = whole.reader["glyf"]
        self._offsets: Sequence[int] = whole["loca"].locations
        order = whole.getGlyphOrder()
        self._metrics: list[tuple[int, int]] = [whole["hmtx"].metrics[name] for name in order]
        self._ids = {code: whole.getGlyphID(name) for code, name in whole.getBestCmap().items()}
        self._fixed = _fixed_tables(whole)
        self._glyph = lru_cache(maxsize=1 << 16)(self._read)

    def subset(self, characters: str) -> bytes:
        """Return the font of exactly these characters, each of which the whole font has."""
        ids, fixed = self._ids, self._fixed
        codes = {code: ids[code] for code in map(ord, sorted(set(characters)))}
        chosen = self._closure([_NOTDEF, *codes.values()])
        places = dict(zip(chosen, count()))
        drawings, offsets = outlines([_renumbered(glyph, places) for glyph in chosen.values()])
        loca = offset_table(offsets)
        glyphs = columns(chosen.values())
        drawn = glyphs if all(glyphs.data) else columns(filter(itemgetter(0), chosen.values()))
        with_advance = long_metrics(glyphs.advance)
        tables = fixed | {
            "head": head(fixed["head"], drawn, is_long=len(loca) > 2 * len(offsets)),
            "hhea": hhea(fixed["hhea"], glyphs, drawn, with_advance),
            "maxp": maxp(fixed["maxp"], glyphs),
            "OS/2": os2(fixed["OS/2"], glyphs, codes),
            "hmtx": hmtx(glyphs, with_advance),
            "cmap": cmap_table(codes, places),
            "loca": loca,
            "glyf": drawings,
        }
        return font_file(tables)

    def _closure(self, chosen: list[int]) -> dict[int, Glyph]:
        """Return the glyphs with every component they are composed of, each once, by their ids."""
        glyph = self._glyph
        found = {glyph_id: glyph(glyph_id) for glyph_id in chosen}
        waiting = list(found.values())
        while waiting:
            for _, part in waiting.pop().parts:
                if part not in found:
                    found[part] = component = glyph(part)
                    waiting.append(component)
        return found

    def _read(self, glyph_id: int) -> Glyph:
        data = self._glyf[self._offsets[glyph_id] : self._offsets[glyph_id + 1]]
        advance, bearing = self._metrics[glyph_id]
        if not data:
            return Glyph(b"", advance, bearing)
        contours, left, bottom, right, top = struct.unpack_from(">5h", data)
        end = bearing + right - left
        about = (data, advance, bearing, left, bottom, right, top, end, advance - end)
        if contours < 0:
            parts = _components(data)
            return Glyph(*about, 0, 0, *self._composed(parts), parts)
        (last,) = struct.unpack_from(">H", data, 8 + 2 * contours)
        return Glyph(*about, last + 1, contours)

    def _composed(self, parts: Sequence[tuple[int, int]]) -> tuple[int, int, int, int]:
        """Return points and contours of all components, their number, and how deep they nest."""
        inner = [self._glyph(glyph_id) for _, glyph_id in parts]
        points = sum(glyph.points + glyph.composed_points for glyph in inner)
        contours = sum(glyph.contours + glyph.composed_contours for glyph in inner)
        return points, contours, len(parts), 1 + max(glyph.depth for glyph in inner)


def _fixed_tables(whole: Any) -> dict[str, bytes]:
    """Return the tables of a font with the one glyph that every font has."""
    builder = _font_builder(whole["head"].unitsPerEm, isTTF=True)
    builder.updateHead(created=FONT_DATE, modified=FONT_DATE, fontRevision=whole["head"].fontRevision)
    builder.font.recalcTimestamp = False
    name = whole.getGlyphOrder()[_NOTDEF]
    builder.setupGlyphOrder([name])
    builder.setupCharacterMap({})
    builder.setupGlyf({name: whole["glyf"][name]}, calcGlyphBounds=False)
    builder.setupHorizontalMetrics({name: whole["hmtx"][name]})
    builder.setupHorizontalHeader(ascent=whole["hhea"].ascent, descent=whole["hhea"].descent)
    builder.setupNameTable(
        {"familyName": "Tongban Hei", "styleName": "Regular", "psName": "TongbanHei"}, mac=False
    )
    builder.setupOS2(sTypoAscender=whole["OS/2"].sTypoAscender, sTypoDescender=whole["OS/2"].sTypoDescender)
    builder.setupPost(keepGlyphNames=False)
    target = io.BytesIO()
    builder.font.save(target)
    made = _reader(target)
    return {tag: made[tag] for tag in ORDER}


def _components(data: bytes) -> tuple[tuple[int, int], ...]:
    found, position, more = [], 10, True
    while more:
        flags, glyph_id = struct.unpack_from(">2H", data, position)
        found.append((position + 2, glyph_id))
        scale = next((size for flag, size in _SCALES if flags & flag), 0)
        position += 4 + (4 if flags & _WORDS else 2) + scale
        more = bool(flags & _MORE)
    return tuple(found)


def _renumbered(glyph: Glyph, places: dict[int, int]) -> bytes:
    if not glyph.parts:
        return glyph.data
    data = bytearray(glyph.data)
    for position, glyph_id in glyph.parts:
        struct.pack_into(">H", data, position, places[glyph_id])
    return bytes(data)
