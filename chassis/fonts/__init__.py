"""The CJK font that ships with the repository: licences, notices and seal images are set in it.

OFD readers drop or box a text whose font is neither installed nor embedded, so each document embeds a subset.
Origin and licence: ``README.md`` beside this file.
"""

from __future__ import annotations

import io
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib import TTFont

from chassis.errors import Kind, declare

_font_builder: Any = FontBuilder  # fontTools is untyped

FONT_FILE = "tongban-hei.ttf"
FONT_DATE = 3_786_912_000  # seconds since 1904: 2024-01-01, fixed so that equal texts give equal bytes

GLYPH_MISSING = declare(
    "GLYPH_MISSING",
    Kind.FAILED_PRECONDITION,
    "内置字体没有以下字符：{characters}",
    "The font has no glyph for: {characters}",
)


def font() -> Any:
    """Return the whole font, read once, as a fontTools object that callers only read."""
    return _font()


def font_path() -> Path:
    """Return where the TrueType file lies."""
    return Path(__file__).with_name(FONT_FILE)


def missing(text: str) -> frozenset[str]:
    """Return the characters of `text` that the font cannot show; control characters are not counted."""
    covered = _metrics()[0]
    return frozenset(char for char in text if ord(char) not in covered and char.isprintable())


def advances(text: str) -> list[float]:
    """Return the advance width of every character of `text`, in em; control characters have none.

    Raises:
        GLYPH_MISSING: The font does not cover the text.
    """
    _refuse_missing(text)
    cmap, widths, units_per_em = _metrics()
    return [widths[cmap[ord(char)]][0] / units_per_em if char.isprintable() else 0.0 for char in text]


@lru_cache(maxsize=256)
def subset(text: str) -> bytes:
    """Return a TrueType font holding exactly the glyphs of `text`, the same bytes for the same characters.

    Advances are those of the whole font, so a layout made with `advances` fits.

    Raises:
        GLYPH_MISSING: The font does not cover the text.
    """
    _refuse_missing(text)
    return _subset("".join(sorted(char for char in set(text) if char.isprintable())))


@lru_cache(maxsize=64)
def _subset(characters: str) -> bytes:
    whole = _font()
    cmap = {ord(char): _metrics()[0][ord(char)] for char in characters}
    names = _closure(whole["glyf"], [".notdef", *dict.fromkeys(cmap.values())])
    builder = _font_builder(whole["head"].unitsPerEm, isTTF=True)
    builder.updateHead(created=FONT_DATE, modified=FONT_DATE, fontRevision=whole["head"].fontRevision)
    builder.font.recalcTimestamp = False
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(cmap)
    builder.setupGlyf({name: deepcopy(whole["glyf"][name]) for name in names}, calcGlyphBounds=False)
    builder.setupHorizontalMetrics({name: whole["hmtx"][name] for name in names})
    builder.setupHorizontalHeader(ascent=whole["hhea"].ascent, descent=whole["hhea"].descent)
    builder.setupNameTable(
        {"familyName": "Tongban Hei", "styleName": "Regular", "psName": "TongbanHei"}, mac=False
    )
    builder.setupOS2(sTypoAscender=whole["OS/2"].sTypoAscender, sTypoDescender=whole["OS/2"].sTypoDescender)
    builder.setupPost(keepGlyphNames=False)
    target = io.BytesIO()
    builder.font.save(target)
    return target.getvalue()


def _closure(glyphs: Any, names: list[str]) -> list[str]:
    """Return the names with every component they are composed of, each once."""
    found = dict.fromkeys(names)
    waiting = list(found)
    while waiting:
        for part in glyphs[waiting.pop()].getComponentNames(glyphs):
            if part not in found:
                found[part] = None
                waiting.append(part)
    return list(found)


def _refuse_missing(text: str) -> None:
    absent = missing(text)
    if absent:
        raise GLYPH_MISSING(characters=" ".join(sorted(absent)))


@lru_cache(maxsize=1)
def _font() -> Any:
    return TTFont(str(font_path()), recalcTimestamp=False)


@lru_cache(maxsize=1)
def _metrics() -> tuple[dict[int, str], dict[str, tuple[int, int]], int]:
    font = _font()
    return font.getBestCmap(), dict(font["hmtx"].metrics), font["head"].unitsPerEm
