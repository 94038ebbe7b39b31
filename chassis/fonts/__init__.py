"""The CJK font that ships with the repository: licences, notices and seal images are set in it.

OFD readers drop or box a text whose font is neither installed nor embedded, so each document embeds a subset.
Origin and licence: ``README.md`` beside this file.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import uharfbuzz
from fontTools.ttLib import TTFont

from chassis.errors import Fault, Kind, declare

_harfbuzz: Any = uharfbuzz  # untyped

FONT_FILE = "tongban-hei.ttf"
FONT_DATE = 3_786_912_000  # seconds since 1904: 2024-01-01, fixed so that equal texts give equal bytes
_LICENCE_NAMES = (13, 14)  # OpenType, name: beside those that HarfBuzz keeps

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
    try:
        return [_advance(char) for char in text]
    except KeyError:
        raise _missing(text) from None


@lru_cache(maxsize=256)
def subset(text: str) -> bytes:
    """Return a TrueType font holding exactly the glyphs of `text`, the same bytes for the same characters.

    Advances are those of the whole font, so a layout made with `advances` fits.

    Raises:
        GLYPH_MISSING: The font does not cover the text.
    """
    if missing(text):
        raise _missing(text)
    wanted = _harfbuzz.SubsetInput()
    wanted.unicode_set.update(ord(char) for char in set(text) if char.isprintable())
    wanted.name_id_set.update(_LICENCE_NAMES)
    flags = _harfbuzz.SubsetFlags
    wanted.flags = flags.NOTDEF_OUTLINE | flags.NO_BIDI_CLOSURE
    return bytes(_harfbuzz.subset(_face(), wanted).blob.data)


def _missing(text: str) -> Fault:
    return GLYPH_MISSING(characters=" ".join(sorted(missing(text))))


@lru_cache(maxsize=1)
def _font() -> Any:
    return TTFont(str(font_path()), recalcTimestamp=False)


@lru_cache(maxsize=1)
def _face() -> Any:
    return _harfbuzz.subset_preprocess(_harfbuzz.Face(_harfbuzz.Blob.from_file_path(str(font_path()))))


@lru_cache(maxsize=1 << 16)
def _advance(char: str) -> float:
    cmap, widths, units_per_em = _metrics()
    return widths[cmap[ord(char)]][0] / units_per_em if char.isprintable() else 0.0


@lru_cache(maxsize=1)
def _metrics() -> tuple[dict[int, str], dict[str, tuple[int, int]], int]:
    font = _font()
    return font.getBestCmap(), dict(font["hmtx"].metrics), font["head"].unitsPerEm
