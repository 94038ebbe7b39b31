"""A picture of a licence for the screen, painted from the same layout as the document, marked 预览.

It is no licence: it carries no seal and no signature, and says so across the page.
"""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from chassis.fonts import font_path
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.ofd.layout import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Frame, Page, Text, lay_out
from services.certs.domain.ofd.watermark import watermarked

PIXELS_PER_MM = 6
"""152 dpi: 1782 by 1260 pixels, readable on a screen and useless as a print."""
MARK = ("预览", "仅供查看，不具法律效力")
_FRAME_COLOUR = (176, 24, 24)
_BACKGROUND = (255, 255, 255)
_FONT_STEP = 2
"""Sizes are set in half pixels, so that a process keeps few fonts."""
_COLOURS = 64


def preview(licence: Licence, kind: LicenceType) -> bytes:
    """Return a PNG of the licence's page under the mark; the same bytes for the same licence.

    Raises FACE_TOO_LONG.
    """
    return paint(watermarked(lay_out(licence, kind), MARK))


def paint(page: Page) -> bytes:
    """Return a page as PNG."""
    size = (round(PAGE_WIDTH_MM * PIXELS_PER_MM), round(PAGE_HEIGHT_MM * PIXELS_PER_MM))
    picture = Image.new("RGB", size, _BACKGROUND)
    pen = ImageDraw.Draw(picture)
    for frame in page.frames:
        _draw_frame(pen, frame)
    for text in page.texts:
        _draw_text(pen, text)
    target = io.BytesIO()
    picture.quantize(_COLOURS).save(target, "PNG", optimize=False, compress_level=6)
    return target.getvalue()


def _draw_frame(pen: ImageDraw.ImageDraw, frame: Frame) -> None:
    left, top = frame.x * PIXELS_PER_MM, frame.y * PIXELS_PER_MM
    right, bottom = left + frame.width * PIXELS_PER_MM, top + frame.height * PIXELS_PER_MM
    width = max(1, round(frame.line_mm * PIXELS_PER_MM))
    pen.rectangle((left, top, right, bottom), outline=_FRAME_COLOUR, width=width)


def _draw_text(pen: ImageDraw.ImageDraw, text: Text) -> None:
    """Set a line character by character, each at the place that the document gives it."""
    red, green, blue = (int(part) for part in text.colour.split())
    font = _font(round(text.size * PIXELS_PER_MM * _FONT_STEP))
    x, baseline = text.x, (text.y + text.size * _BASELINE) * PIXELS_PER_MM
    for char, step in zip(text.content, text.steps, strict=True):
        if not char.isspace():
            pen.text((x * PIXELS_PER_MM, baseline), char, (red, green, blue), font, anchor="ls")
        x += step


_BASELINE = 0.88
"""Where the baseline lies below the top of the em box, as in the document."""


@lru_cache(maxsize=64)
def _font(half_pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(
        str(font_path()), half_pixels / _FONT_STEP, layout_engine=ImageFont.Layout.BASIC
    )
