"""Where a box in millimetres lies on a page as it is shown: rotation, crop box and user unit considered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils.reader import PdfFileReader

from services.seal.domain.placing import STAMP_OUTSIDE_PAGE, Placement
from services.seal.pdf.opening import (
    LIMITS,
    MALFORMED,
    TOO_COMPLEX,
    PdfLimits,
    Unreadable,
    entry,
    followed,
    is_reference,
)
from services.seal.pdf.reasons import PDF_PAGE_MISSING

_POINTS_PER_MM = 72 / 25.4
_SLACK_MM = 0.05
_INHERITED = ("/MediaBox", "/CropBox", "/Rotate")
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Page:
    """A page: the box that is shown in user space, clockwise rotation, and how many points its unit is."""

    index: int
    box: Box
    rotation: int
    unit: float
    number: int = 0
    """Of the page's object."""

    @property
    def shown_mm(self) -> tuple[float, float]:
        """Width and height as a reader shows them."""
        left, bottom, right, top = self.box
        width, height = (right - left) * self.unit, (top - bottom) * self.unit
        if self.rotation in {90, 270}:
            width, height = height, width
        return width / _POINTS_PER_MM, height / _POINTS_PER_MM

    def shown_box_mm(self, rectangle: Any) -> Box:
        """Return a rectangle of user space as it is shown: x, y from the top left, width, height in millimetres."""
        x1, y1, x2, y2 = _box(rectangle)
        left, bottom, right, top = self.box
        scale = self.unit / _POINTS_PER_MM
        width, height = (x2 - x1) * scale, (y2 - y1) * scale
        if self.rotation == 90:
            return (y1 - bottom) * scale, (x1 - left) * scale, height, width
        if self.rotation == 180:
            return (right - x2) * scale, (y1 - bottom) * scale, width, height
        if self.rotation == 270:
            return (top - y2) * scale, (right - x2) * scale, height, width
        return (x1 - left) * scale, (top - y2) * scale, width, height


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one stamp goes: its visible rectangle in user space, and its sizes in points of the form."""

    page: Page
    rectangle: Box
    width: float
    height: float
    clip: Box
    """The visible part of the stamp from its top left, x, y, width, height in points."""


def read_pages(reader: PdfFileReader, limits: PdfLimits = LIMITS) -> list[Page]:
    """Return the pages in order; the tree is walked once, no node twice.

    Raises:
        Unreadable: The tree has a loop, a node of no known type, counts that are not so, or too many pages.
    """
    root = reader.root["/Pages"]
    found: list[Page] = []
    _walk(root, {}, found, {id(root)}, 0, limits)
    if root["/Count"] != len(found):
        raise Unreadable(MALFORMED, "page count")
    return found


def _walk(
    node: Any,
    inherited: dict[str, Any],
    found: list[Page],
    seen: set[int],
    depth: int,
    limits: PdfLimits,
    number: int = 0,
) -> None:
    if depth > limits.depth or len(found) >= limits.pages:
        raise Unreadable(TOO_COMPLEX, "pages")
    known = {**inherited, **{key: node[key] for key in _INHERITED if key in node}}
    if node["/Type"] == "/Page":
        found.append(_page(len(found), node, known, number))
        return
    if node["/Type"] != "/Pages":
        raise Unreadable(MALFORMED, "page tree")
    for reference in node["/Kids"]:
        if not is_reference(reference):
            raise Unreadable(MALFORMED, "page tree")
        kid = followed(reference)
        if id(kid) in seen:
            raise Unreadable(MALFORMED, "page tree loop")
        seen.add(id(kid))
        _walk(kid, known, found, seen, depth + 1, limits, reference.idnum)


def _page(index: int, node: Any, known: dict[str, Any], number: int) -> Page:
    media = _box(known["/MediaBox"])
    crop = _box(known["/CropBox"]) if "/CropBox" in known else media
    box = (max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3]))
    rotation, unit = int(known.get("/Rotate", 0)), float(entry(node, "/UserUnit", 1))
    if rotation % 90 or box[0] >= box[2] or box[1] >= box[3] or not 0.01 < unit < 1000:
        raise Unreadable(MALFORMED, "page box")
    return Page(index, box, rotation % 360, unit, number)


def _box(value: Any) -> Box:
    x1, y1, x2, y2 = (float(number) for number in value)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def locate(placement: Placement, pages: list[Page]) -> Spot:
    """Return where the stamp goes.

    Raises:
        PDF_PAGE_MISSING: There is no such page.
        STAMP_OUTSIDE_PAGE: What is visible of the stamp is not wholly on the page.
    """
    if not 1 <= placement.page <= len(pages):
        raise PDF_PAGE_MISSING(page=placement.page, pages=len(pages))
    page = pages[placement.page - 1]
    width, height = placement.width_mm, placement.height_mm
    cut = placement.clip_mm or (0.0, 0.0, width, height)
    left, top = placement.x_mm + cut[0], placement.y_mm + cut[1]
    across, down = page.shown_mm
    inside = cut[0] >= 0 and cut[1] >= 0 and cut[0] + cut[2] <= width + _SLACK_MM
    inside = inside and cut[1] + cut[3] <= height + _SLACK_MM and min(cut[2], cut[3], width, height) > 0
    on_page = left >= -_SLACK_MM and top >= -_SLACK_MM
    on_page = on_page and left + cut[2] <= across + _SLACK_MM and top + cut[3] <= down + _SLACK_MM
    if not inside or not on_page:
        raise STAMP_OUTSIDE_PAGE()
    scale = _POINTS_PER_MM / page.unit
    shown = tuple(value * scale for value in (left, top, left + cut[2], top + cut[3]))
    clip = (cut[0] * scale, cut[1] * scale, cut[2] * scale, cut[3] * scale)
    return Spot(page, _in_user_space(page, shown), width * scale, height * scale, clip)


def _in_user_space(page: Page, shown: tuple[float, ...]) -> Box:
    """Return the rectangle of a box measured rightwards and downwards on the page as it is shown."""
    x1, y1, x2, y2 = shown
    left, bottom, right, top = page.box
    if page.rotation == 90:
        return left + y1, bottom + x1, left + y2, bottom + x2
    if page.rotation == 180:
        return right - x2, bottom + y1, right - x1, bottom + y2
    if page.rotation == 270:
        return right - y2, top - x2, right - y1, top - x1
    return left + x1, top - y2, left + x2, top - y1
