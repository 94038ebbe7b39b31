"""What a signature protects of a document and what it leaves open, and where its stamps stand: for people to read.

The check `coverage` judges; this tells. Names are as written in the document.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.seal.domain.ofd import DocumentView, Package, SignatureFile

MOST_ITEMS = 200
"""How many parts a report names on either side; the rest is counted."""


class CoveredKind(StrEnum):
    """What a part of a document is."""

    PAGE = "page"
    CONTENT = "content"
    SIGNATURE_LIST = "signature_list"
    SIGNATURE = "signature"
    UNLISTED = "unlisted"
    REVISION = "revision"
    LATER_REVISION = "later_revision"


@dataclass(frozen=True, slots=True)
class CoveredItem:
    """A part by name; `page` counts from 1, 0 for what is no page."""

    kind: CoveredKind
    name: str
    page: int = 0


@dataclass(frozen=True, slots=True)
class Coverage:
    """The parts on either side, pages first; `pages` of the document, and which of them are protected whole.

    `closed` says that no further signature can be added unnoticed. `left_out` counts parts beyond `MOST_ITEMS`.
    """

    protected: tuple[CoveredItem, ...]
    unprotected: tuple[CoveredItem, ...]
    pages: int
    protected_pages: tuple[int, ...]
    closed: bool
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class StampPlace:
    """A stamp: its page from 1 (0 for a page that does not exist), box and visible part in millimetres."""

    page: int
    page_id: str
    box_mm: tuple[float, float, float, float]
    clip_mm: tuple[float, float, float, float] | None = None


def cover(
    package: Package, view: DocumentView, files: Sequence[SignatureFile], unchanged: frozenset[str]
) -> Coverage:
    """Return what of an OFD is protected, `unchanged` being the files whose digest a signature states rightly."""
    numbers = _page_numbers(view)
    signing = {name for file in files for name in (file.path, file.signed_value_path, file.seal_path) if name}
    lists = set(view.signature_lists)

    def item(name: str) -> CoveredItem:
        if name in numbers:
            return CoveredItem(CoveredKind.PAGE, name, numbers[name])
        if name in lists:
            return CoveredItem(CoveredKind.SIGNATURE_LIST, name)
        if name in signing:
            return CoveredItem(CoveredKind.SIGNATURE, name)
        return CoveredItem(CoveredKind.CONTENT if name in view.reachable else CoveredKind.UNLISTED, name)

    protected, open_parts = _sorted(map(item, unchanged)), _sorted(map(item, package.names - unchanged))
    whole = (
        number
        for number, page in enumerate(view.pages.values(), start=1)
        if unchanged.issuperset((page.path, *page.templates))
    )
    return coverage(protected, open_parts, len(view.pages), tuple(whole), closed=lists <= unchanged)


def coverage(
    protected: Sequence[CoveredItem],
    unprotected: Sequence[CoveredItem],
    pages: int,
    protected_pages: tuple[int, ...],
    *,
    closed: bool,
) -> Coverage:
    """Return the report, cut to what is worth reading."""
    left_out = sum(max(len(side) - MOST_ITEMS, 0) for side in (protected, unprotected))
    return Coverage(
        tuple(protected[:MOST_ITEMS]),
        tuple(unprotected[:MOST_ITEMS]),
        pages,
        protected_pages[:MOST_ITEMS],
        closed,
        left_out,
    )


def places_of(view: DocumentView, file: SignatureFile) -> tuple[StampPlace, ...]:
    """Return where an OFD signature stamps."""
    numbers = {page_id: number for number, page_id in enumerate(view.pages, start=1)}
    return tuple(
        StampPlace(numbers.get(stamp.page_id, 0), stamp.page_id, stamp.box_mm, stamp.clip_mm)
        for stamp in file.stamps[:MOST_ITEMS]
    )


def _page_numbers(view: DocumentView) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, page in enumerate(view.pages.values(), start=1):
        found.setdefault(posixpath.normpath(page.path), number)
    return found


def _sorted(items: Iterable[CoveredItem]) -> list[CoveredItem]:
    return sorted(items, key=lambda each: (not each.page, each.page, each.name))
