"""Seal pictures of every kind, drawn and uploaded."""

from __future__ import annotations

import io

import pytest
from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import parse_path
from lxml import etree
from PIL import Image, ImageDraw

from chassis.errors import INVALID_REQUEST, Fault
from services.seal.domain.imprint import (
    NameDesign,
    OvalDesign,
    PlateDesign,
    RoundDesign,
    as_picture,
    as_svg,
    decodes,
    draw,
    read_upload,
    round_seal,
)

NAME = "上饶市广丰区市场监督管理局"
DESIGNS = {
    "official": RoundDesign(NAME),
    "approval": RoundDesign(NAME, line="行政审批专用章", number="3611030000123"),
    "finance": RoundDesign("广丰区某某餐饮有限公司", line="财务专用章", has_star=False, diameter_mm=38),
    "contract": RoundDesign(
        "广丰区某某餐饮有限公司", line="合同专用章", number="3611030000124", diameter_mm=40
    ),
    "invoice": OvalDesign("广丰区某某餐饮有限公司", line="发票专用章", number="91361103MA0000000A"),
    "name2": NameDesign("丰玉"),
    "name3": NameDesign("丰小玉"),
    "name4": NameDesign("丰小玉", "印", 22),
    "plate": PlateDesign(("骑缝专用章", "（1）")),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_every_design_is_a_small_deterministic_png_and_svg(name):
    design = DESIGNS[name]
    picture, svg = as_picture(draw(design)), as_svg(draw(design))
    assert (picture, svg) == (as_picture(draw(design)), as_svg(draw(design)))
    image = Image.open(io.BytesIO(picture.data))
    assert (image.mode, image.size) == ("P", (picture.width_mm * 12, picture.height_mm * 12))
    assert len(picture.data) < 30_000
    assert len(svg) < 30_000
    assert decodes(picture)


@pytest.mark.parametrize("name", DESIGNS)
def test_all_outlines_lie_on_the_sheet_and_need_no_font_or_script(name):
    svg = etree.fromstring(as_svg(draw(DESIGNS[name])))
    assert {etree.QName(element).localname for element in svg.iter()} == {"svg", "g", "path"}
    *_, width, height = map(int, svg.get("viewBox").split())
    pen = RecordingPen()
    for path in svg.iter("{*}path"):
        parse_path(path.get("d"), pen)
    points = [point for _, points in pen.value for point in points]
    assert len(points) > 60
    slack = 20  # a control point of the rim lies outside it
    assert all(-slack <= x <= width + slack and -slack <= y <= height + slack for x, y in points)


def pixels(design) -> Image.Image:
    return Image.open(io.BytesIO(as_picture(draw(design)).data)).convert("RGBA").getchannel("A")


def ink(image: Image.Image, box: tuple[float, float, float, float]) -> float:
    """Return the share of ink in a box given in shares of the sheet."""
    width, height = image.size
    part = image.crop((int(box[0] * width), int(box[1] * height), int(box[2] * width), int(box[3] * height)))
    data = part.tobytes()
    return sum(value > 127 for value in data) / len(data)


def test_the_star_the_line_and_the_number_stand_where_they_should():
    middle, below, arc = (0.45, 0.45, 0.55, 0.55), (0.3, 0.7, 0.7, 0.82), (0.4, 0.9, 0.6, 0.94)
    plain = pixels(RoundDesign(NAME))
    assert ink(plain, middle) > 0.9
    assert ink(plain, below) == ink(plain, arc) == 0.0
    full = pixels(DESIGNS["approval"])
    assert ink(full, middle) > 0.7
    assert ink(full, below) > 0.1
    assert ink(full, arc) > 0.05
    bare = pixels(RoundDesign(NAME, has_star=False))
    assert ink(bare, (0.3, 0.35, 0.7, 0.9)) == 0.0


def test_names_are_set_from_right_to_left():
    three = pixels(NameDesign("一二二"))
    right, left = (0.55, 0.15, 0.9, 0.85), (0.1, 0.15, 0.45, 0.85)
    assert ink(three, right) < ink(three, left)
    assert ink(three, (0.55, 0.38, 0.9, 0.65)) > 0.05


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: RoundDesign(""), "SEAL_NAME_TOO_LONG"),
        (lambda: OvalDesign("行" * 41), "SEAL_NAME_TOO_LONG"),
        (lambda: RoundDesign(NAME, line="专" * 13), "IMPRINT_TEXT_WRONG"),
        (lambda: RoundDesign(NAME, number="1" * 19), "IMPRINT_TEXT_WRONG"),
        (lambda: NameDesign("丰"), "IMPRINT_TEXT_WRONG"),
        (lambda: NameDesign("丰小玉子", "印"), "IMPRINT_TEXT_WRONG"),
        (lambda: NameDesign("丰小玉", "章"), "IMPRINT_TEXT_WRONG"),
        (lambda: PlateDesign(()), "IMPRINT_TEXT_WRONG"),
        (lambda: PlateDesign(("一", "")), "IMPRINT_TEXT_WRONG"),
        (lambda: RoundDesign(NAME, diameter_mm=9), "IMPRINT_SIZE"),
        (lambda: PlateDesign(("一",), 61, 16), "IMPRINT_SIZE"),
        (lambda: draw(NameDesign("\U0002a6d6\U0002a6d6")), "GLYPH_MISSING"),
        (lambda: draw(PlateDesign(("a\n",))), "GLYPH_MISSING"),
    ],
)
def test_what_would_not_be_legible_is_refused(make, code):
    with pytest.raises(Fault) as raised:
        make()
    assert raised.value.code == code


def test_a_name_of_one_character_and_of_forty_fit():
    for name in ("局", "行" * 40):
        image = pixels(RoundDesign(name))
        assert ink(image, (0.0, 0.0, 0.05, 0.05)) == 0.0


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def scan(size: int = 400, background="white", colour=(200, 20, 30)) -> Image.Image:
    image = Image.new("RGB", (size, size), background)
    pen = ImageDraw.Draw(image)
    pen.ellipse((10, 10, size - 10, size - 10), outline=colour, width=12)
    pen.rectangle((size // 3, size // 3, size // 2, size // 2), fill=colour)
    return image


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG"])
def test_a_scan_on_white_becomes_one_colour_in_sixteen_steps(kind):
    picture = read_upload(saved(scan(), kind), 42, 42)
    image = Image.open(io.BytesIO(picture.data))
    assert (picture.kind, picture.width_mm, image.mode) == ("PNG", 42, "P")
    assert len(picture.data) < 64 << 10
    clear = image.convert("RGBA")
    assert clear.getpixel((0, 0))[3] == 0
    assert clear.getpixel((170, 170))[3] == 255
    assert len(set(clear.getchannel("A").tobytes())) <= 16
    assert abs(clear.getpixel((170, 170))[0] - 200) < 12
    assert decodes(picture)


def test_a_transparent_picture_keeps_its_transparency():
    image = Image.new("RGBA", (500, 500), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((100, 100, 400, 400), fill=(180, 0, 0, 255))
    kept = Image.open(io.BytesIO(read_upload(saved(image), 42, 42).data)).convert("RGBA")
    assert kept.getpixel((250, 250))[3] == 255
    assert kept.getpixel((5, 5))[3] == 0


def test_our_own_pictures_pass_as_uploads():
    picture = round_seal(NAME)
    assert decodes(read_upload(picture.data, 42, 42))


def faults(data: bytes, width: int = 42, height: int = 42) -> list[tuple[str, str]]:
    with pytest.raises(Fault) as raised:
        read_upload(data, width, height)
    assert raised.value.reason is INVALID_REQUEST
    return [(each.field_path, each.reason.code) for each in raised.value.violations]


def test_every_fault_is_named_at_once():
    assert faults(b"rubbish", 5, 70) == [
        ("width_mm", "IMPRINT_SIZE"), ("height_mm", "IMPRINT_SIZE"), ("image", "IMPRINT_KIND"),
    ]  # fmt: skip
    grey = saved(Image.new("RGB", (100, 60), (90, 90, 90)))
    assert faults(grey) == [
        ("image", "IMPRINT_RESOLUTION"), ("image", "IMPRINT_PROPORTION"), ("image", "IMPRINT_BACKGROUND"),
    ]  # fmt: skip
    assert faults(saved(Image.new("RGB", (400, 400), "white")), 42, 61) == [
        ("height_mm", "IMPRINT_SIZE"), ("image", "IMPRINT_BLANK"),
    ]  # fmt: skip


def test_other_kinds_damage_and_size_have_their_reasons():
    assert faults(saved(scan(), "TIFF")) == [("image", "IMPRINT_KIND")]
    assert faults(saved(scan(), "WEBP")) == [("image", "IMPRINT_KIND")]
    assert faults(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == [("image", "IMPRINT_KIND")]
    frames = [scan(), scan(colour="blue")]
    assert faults(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])) == [
        ("image", "IMPRINT_KIND")
    ]
    assert faults(saved(scan())[:-60]) == [("image", "IMPRINT_DAMAGED")]
    assert faults(saved(Image.new("1", (5000, 5000), 1))) == [("image", "IMPRINT_TOO_LARGE")]
    assert faults(bytes(3 << 20)) == [("image", "IMPRINT_TOO_LARGE")]
    assert faults(saved(scan(200))) == [("image", "IMPRINT_RESOLUTION")]


def test_a_picture_of_noise_does_not_fit_a_seal():
    image = Image.effect_noise((720, 720), 255).convert("RGB")
    ImageDraw.Draw(image).rectangle((0, 0, 40, 720), fill="white")
    ImageDraw.Draw(image).rectangle((680, 0, 720, 720), fill="white")
    assert faults(saved(image), 60, 60) == [("image", "IMPRINT_TOO_DETAILED")]
