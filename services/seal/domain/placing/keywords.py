"""Finding words on the pages of an OFD document, to stamp where it says so (关键字定位)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.seal.domain.ofd.layout import Page
from services.seal.domain.ofd.package import Package
from services.seal.domain.placing.page_text import Box, Character, surrounding, text_objects


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where a keyword stands: page number from 1, and its box as x, y, width, height in millimetres."""

    page: int
    box_mm: Box


def find_keyword(package: Package, pages: Sequence[Page], keyword: str) -> list[Occurrence]:
    """Return every place where `keyword` stands in one text object, in the order of pages and of their content.

    White space counts neither in the keyword nor on the page; occurrences do not overlap. A word set from several
    objects is not found.

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
    for characters in text_objects(content):
        solid = [each for each in characters if not each.char.isspace()]
        for at in _places(solid, wanted):
            left, top, right, bottom = surrounding(each.box_mm for each in solid[at : at + len(wanted)])
            yield left, top, right - left, bottom - top


def _places(characters: Sequence[Character], wanted: str) -> Iterator[int]:
    text = "".join(each.char for each in characters)
    at = text.find(wanted)
    while at >= 0:
        yield at
        at = text.find(wanted, at + len(wanted))
