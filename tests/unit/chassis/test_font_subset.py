"""A subset of the font shows its characters, and no others, as the whole font does."""

from __future__ import annotations

import io
from typing import Any

import pytest
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import fonts
from chassis.errors import Fault
from chassis.fonts.make_font import repertoire

CHARACTERS = "".join(
    chr(code) for code in sorted(repertoire()) if chr(code).isprintable() and not fonts.missing(chr(code))
)
LATIN = "".join(char for char in CHARACTERS if ord(char) < 0x3000)


@settings(max_examples=40, deadline=None)
@given(st.text(CHARACTERS, max_size=60) | st.text(LATIN, max_size=40))
def test_a_subset_draws_its_characters_as_the_whole_font_does(text):
    made = TTFont(io.BytesIO(fonts.subset(text)))
    assert set(made.getBestCmap() or ()) == {ord(char) for char in text}
    assert drawn(made, text) == drawn(fonts.font(), text)


def test_every_character_of_the_font_can_be_had_at_once():
    made = TTFont(io.BytesIO(fonts.subset(CHARACTERS)))
    assert "".join(map(chr, sorted(made.getBestCmap()))) == CHARACTERS
    assert drawn(made, CHARACTERS[::50]) == drawn(fonts.font(), CHARACTERS[::50])


def test_equal_characters_give_equal_bytes_whatever_their_order_and_number():
    fonts.subset.cache_clear()
    first = fonts.subset("县人民政府县")
    fonts.subset.cache_clear()
    assert fonts.subset("府政民人县") == first


def test_a_subset_says_whose_work_it_is_and_when_it_was_made():
    whole, made = fonts.font(), TTFont(io.BytesIO(fonts.subset("印")))
    for name in (0, 13, 14):
        assert str(made["name"].getDebugName(name)) == str(whole["name"].getDebugName(name))
    assert made["head"].modified == fonts.FONT_DATE


def test_a_character_without_a_glyph_is_named_and_a_control_character_takes_no_room():
    with pytest.raises(Fault) as refused:
        fonts.subset("县\U0001f600")
    assert refused.value.code == "GLYPH_MISSING"
    assert "\U0001f600" in refused.value.en
    assert fonts.subset("县\n") == fonts.subset("县")


def drawn(font: Any, text: str) -> list[object]:
    """Return the outline and the advance of each character."""
    glyphs, names = font.getGlyphSet(), font.getBestCmap()
    found: list[object] = []
    for char in text:
        pen = DecomposingRecordingPen(glyphs)
        glyph = glyphs[names[ord(char)]]
        glyph.draw(pen)
        found.append((pen.value, glyph.width))
    return found
