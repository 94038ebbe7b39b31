"""Subsets of the font are the bytes that fontTools writes, whatever the characters."""

from __future__ import annotations

import io
from copy import deepcopy
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import fonts
from chassis.fonts.make_font import repertoire

CHARACTERS = "".join(
    chr(code) for code in sorted(repertoire()) if chr(code).isprintable() and not fonts.missing(chr(code))
)
LATIN = "".join(char for char in CHARACTERS if ord(char) < 0x3000)


@settings(max_examples=40, deadline=None)
@given(st.text(CHARACTERS, max_size=60) | st.text(LATIN, max_size=40))
def test_a_subset_is_what_fonttools_makes_of_the_same_characters(text):
    assert fonts.subset(text) == made_by_fonttools(text)


def test_so_many_characters_that_offsets_take_four_bytes_give_the_same_too():
    some = CHARACTERS[::6]
    made = fonts.subset(some)
    assert made == made_by_fonttools(some)
    assert TTFont(io.BytesIO(made))["head"].indexToLocFormat == 1


def test_every_glyph_is_described_as_fonttools_describes_it():
    for start in range(0, len(CHARACTERS), 2_000):
        font = TTFont(io.BytesIO(fonts.subset(CHARACTERS[start : start + 2_000])))
        stated = (
            dict(vars(font["maxp"])),
            [getattr(font["head"], name) for name in ("xMin", "yMin", "xMax", "yMax")],
        )
        font["maxp"].recalc(font)
        computed = (
            dict(vars(font["maxp"])),
            [getattr(font["head"], name) for name in ("xMin", "yMin", "xMax", "yMax")],
        )
        assert stated == computed
        assert "".join(map(chr, sorted(font.getBestCmap()))) == CHARACTERS[start : start + 2_000]


def test_two_characters_of_one_glyph_side_by_side_keep_both():
    by_glyph: dict[str, list[int]] = {}
    for code, name in fonts.font().getBestCmap().items():
        by_glyph.setdefault(name, []).append(code)
    shared = [chr(code) for codes in by_glyph.values() if len(codes) > 1 for code in codes]
    text = "".join(char for char in shared if char.isprintable())
    neighbours = text + "".join(chr(ord(char) + step) for char in text for step in (-1, 1))
    text = "".join(char for char in neighbours if char in CHARACTERS)
    assert fonts.subset(text) == made_by_fonttools(text)


def made_by_fonttools(characters: str) -> bytes:
    """Return the font of these characters as fontTools builds it, table by table."""
    whole = fonts.font()
    cmap = {ord(char): whole.getBestCmap()[ord(char)] for char in sorted(set(characters))}
    names = _closure(whole["glyf"], [".notdef", *dict.fromkeys(cmap.values())])
    builder = FontBuilder(whole["head"].unitsPerEm, isTTF=True)
    builder.updateHead(
        created=fonts.FONT_DATE, modified=fonts.FONT_DATE, fontRevision=whole["head"].fontRevision
    )
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
