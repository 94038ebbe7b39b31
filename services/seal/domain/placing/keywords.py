"""Finding words on the pages of an OFD document, to stamp where it says so (关键字定位)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.seal.domain.ofd.layout import Page
from services.seal.domain.ofd.package import Package
from services.seal.domain.placing.lines import Placed, read_lines
from services.seal.domain.placing.page_text import Box, surrounding, text_objects


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where a keyword stands: page number from 1, and its box as x, y, width, height in millimetres."""

    page: int
    box_mm: Box


def find_keyword(package: Package, pages: Sequence[Page], keyword: str) -> list[Occurrence]:
    """Return every place where `keyword` stands on a page, in the order of pages and of their content.

    It may be set from several text objects that follow each other on one line; it is not joined across lines unless
    one object holds them. White space counts neither in the keyword nor on the page; occurrences do not overlap.

    Raises:
        XmlError: A page's text states positions that are no numbers.
    """
    wanted = "".join(keyword.split())
    if not wanted:
        return []
    known: dict[str, list[Box]] = {}
    found: list[Occurrence] = []
    for number, page in enumerate(pages, 1):
        for path in (page.path, *page.templates):
            if path not in known:  # templates serve many pages
                known[path] = list(_boxes(package[path], wanted))
            found += [Occurrence(number, box) for box in known[path]]
    return found


def _boxes(content: bytes, wanted: str) -> Iterator[Box]:
    found = []
    for run in read_lines(text_objects(content)):
        for at in _places(run, wanted):
            left, top, right, bottom = surrounding(
                each.character.box_mm for each in run[at : at + len(wanted)]
            )
            found.append((run[at].written, (left, top, right - left, bottom - top)))
    for _, box in sorted(found):
        yield box


def _places(run: Sequence[Placed], wanted: str) -> Iterator[int]:
    text = "".join(each.character.char for each in run)
    at = text.find(wanted)
    while at >= 0:
        yield at
        at = text.find(wanted, at + len(wanted))
