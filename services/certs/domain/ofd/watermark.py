"""A watermark across a page: the same lines again and again, pale, under nothing and over everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.certs.domain.ofd.layout import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Page, Text, printable, wrap

COLOUR = "205 140 140"
SIZE_MM = 3.6
_STEP_MM, _MARGIN_MM, _INDENT_MM = 26.0, 18.0, 34.0
_LEADING = 1.5


def watermarked(page: Page, lines: Sequence[str]) -> Page:
    """Return the page with the lines across it from top to bottom, each block further in than the last."""
    return replace(page, texts=(*page.texts, *_blocks([printable(each) for each in lines])))


def _blocks(lines: Sequence[str]) -> Iterator[Text]:
    y, block = _MARGIN_MM, 0
    while y < PAGE_HEIGHT_MM - _MARGIN_MM:
        x = _MARGIN_MM + (block % 3) * _INDENT_MM
        shown = [part for line in lines for part in wrap(line, SIZE_MM, PAGE_WIDTH_MM - _MARGIN_MM - x)]
        for number, part in enumerate(shown):
            yield Text(x, y + number * SIZE_MM * _LEADING, SIZE_MM, part, COLOUR)
        y += max(_STEP_MM, len(shown) * SIZE_MM * _LEADING + 8.0)
        block += 1
