"""One stamp: its page and box, and whether it lies on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chassis.errors import Kind, declare
from services.seal.domain import ofd

STAMP_OUTSIDE_PAGE = declare(
    "STAMP_OUTSIDE_PAGE", Kind.INVALID_ARGUMENT, "印章位置超出页面", "The stamp lies outside its page"
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where to stamp: page number from 1, box in millimetres from the page's top left, visible part of the box."""

    page: int
    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float
    clip_mm: tuple[float, float, float, float] | None = None


def stamp_on(placement: Placement, pages: Sequence[ofd.Page]) -> ofd.Stamp:
    """Return the stamp on its page.

    Raises:
        STAMP_OUTSIDE_PAGE: Its page does not exist, or what is visible of it lies outside.
    """
    if not 1 <= placement.page <= len(pages):
        raise STAMP_OUTSIDE_PAGE()
    page = pages[placement.page - 1]
    box = (placement.x_mm, placement.y_mm, placement.width_mm, placement.height_mm)
    stamp = ofd.Stamp(page.page_id, box, placement.clip_mm)
    if not stamp.lies_on(page):
        raise STAMP_OUTSIDE_PAGE()
    return stamp


def on_every_page(placement: Placement, page_count: int) -> list[Placement]:
    """Return the same box on each of `page_count` pages."""
    return [replace(placement, page=number) for number in range(1, page_count + 1)]
