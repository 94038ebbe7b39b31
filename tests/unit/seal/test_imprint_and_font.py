"""The round seal and the font it is drawn from."""

from __future__ import annotations

import io

import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from chassis import fonts
from chassis.errors import Fault
from services.seal.domain import imprint
from services.seal.domain.structures import Picture


def test_the_seal_is_a_small_palette_png_of_42_mm():
    picture = imprint.round_seal("广丰区市场监督管理局")
    image = Image.open(io.BytesIO(picture.data))
    assert (picture.width_mm, picture.height_mm, image.mode, image.size) == (42, 42, "P", (504, 504))
    assert len(picture.data) < 30_000
    alpha = image.convert("RGBA").getchannel("A")
    assert alpha.getpixel((252, 252)) == 255  # the star
    assert alpha.getpixel((252, 5)) == 255  # the rim
    assert alpha.getpixel((252, 400)) == 0
    assert alpha.getpixel((0, 0)) == 0
    assert imprint.decodes(picture)


def test_the_same_name_gives_the_same_bytes_and_another_name_others():
    assert imprint.round_seal("玉山县") == imprint.round_seal("玉山县")
    assert imprint.round_seal("玉山县").data != imprint.round_seal("玉山区").data


def test_long_names_fit_and_endless_ones_are_refused():
    assert imprint.decodes(imprint.round_seal("行" * 40))
    for name in ("", "行" * 41):
        with pytest.raises(Fault) as raised:
            imprint.round_seal(name)
        assert raised.value.reason is imprint.SEAL_NAME_TOO_LONG


def test_a_name_the_font_does_not_cover_is_refused():
    with pytest.raises(Fault) as raised:
        imprint.round_seal("\U0002a6d6局")
    assert raised.value.reason is fonts.GLYPH_MISSING


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n", b"<svg/>"])
def test_pictures_that_do_not_decode_are_named_so(data):
    assert not imprint.decodes(Picture("PNG", data, 42, 42))
    assert not imprint.decodes(Picture("SVG", data, 42, 42))


def test_a_giant_picture_is_not_decoded():
    target = io.BytesIO()
    Image.new("1", (9000, 9000)).save(target, "PNG")
    assert not imprint.decodes(Picture("PNG", target.getvalue(), 42, 42))


def test_a_subset_holds_exactly_the_glyphs_of_its_text_with_their_advances():
    text = "电子证照：广丰区 123（正本）"
    font = TTFont(io.BytesIO(fonts.subset(text)))
    cmap = font.getBestCmap()
    assert cmap.keys() == {ord(char) for char in text}
    assert [font["hmtx"][cmap[ord(char)]][0] / font["head"].unitsPerEm for char in text] == fonts.advances(
        text
    )
    assert "glyf" in font
    assert len(fonts.subset(text)) < 12_000


def test_a_subset_depends_on_the_characters_alone():
    assert fonts.subset("乙甲甲") == fonts.subset("甲乙")


def test_han_advances_one_em_and_latin_less():
    assert fonts.advances("国") == [1.0]
    assert 0.3 < fonts.advances("A")[0] < 0.9


def test_the_font_covers_gb2312_and_names_what_it_lacks():
    levels = [bytes((row, cell)) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF)]
    han = "".join(pair.decode("gb2312", "ignore") for pair in levels)
    assert len(han) == 6763
    assert fonts.missing(han + "淏垚喆〇，。、；：？！“”‘’（）《》【】—…·￥ABCabc0123456789") == frozenset()
    assert fonts.missing("\U0002a6d6") == {"\U0002a6d6"}
    with pytest.raises(Fault):
        fonts.subset("\U0002a6d6")


def test_the_font_travels_with_its_licence():
    folder = fonts.font_path().parent
    assert "Apache License" in (folder / "LICENCE-Apache-2.0.txt").read_text()
    assert fonts.font_path().stat().st_size < 3_000_000
