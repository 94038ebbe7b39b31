"""The riding seal (骑缝章): one imprint cut into slices, a slice at the edge of each page of a group."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from chassis.errors import Kind, declare
from services.seal.domain.placing.placement import Placement

RIDING_SEAL_IMPOSSIBLE = declare(
    "RIDING_SEAL_IMPOSSIBLE",
    Kind.INVALID_ARGUMENT,
    "骑缝章至少跨两页，每页切片不少于 {least_mm} 毫米",
    "A riding seal needs two pages or more, and slices of {least_mm} mm or more",
)
LEAST_SLICE_MM = 1.0


class Edge(Enum):
    """The edge of the pages that the seal rides on."""

    RIGHT = "right"
    LEFT = "left"
    TOP = "top"
    BOTTOM = "bottom"


def riding_seal(
    pages: Sequence[tuple[float, float]],
    offset_mm: float,
    width_mm: float,
    height_mm: float,
    edge: Edge = Edge.RIGHT,
    group: int | None = None,
) -> list[Placement]:
    """Return one slice per page; `pages` holds each page's width and height in millimetres.

    `offset_mm` is the distance of the seal from the page's top on a side edge, from its left on top or bottom.
    A long document repeats the seal in groups of `group` pages; a last group of one page joins the one before.
    A box overlaps the page's border by design: only its visible part (clip) lies on the page.

    Raises:
        RIDING_SEAL_IMPOSSIBLE: Fewer than two pages, a group below two, or slices too narrow to be seen.
    """
    found: list[Placement] = []
    across = width_mm if edge in {Edge.RIGHT, Edge.LEFT} else height_mm
    for start, count in _groups(len(pages), group):
        if across / count < LEAST_SLICE_MM:
            raise RIDING_SEAL_IMPOSSIBLE(least_mm=LEAST_SLICE_MM)
        for index in range(count):
            size = pages[start + index]
            found.append(
                _slice(start + index + 1, index, count, size, offset_mm, (width_mm, height_mm), edge)
            )
    return found


def _groups(pages: int, group: int | None) -> list[tuple[int, int]]:
    """Return the first page and the length of every group."""
    length = pages if group is None else group
    if pages < 2 or length < 2:
        raise RIDING_SEAL_IMPOSSIBLE(least_mm=LEAST_SLICE_MM)
    starts = list(range(0, pages, length))
    if pages - starts[-1] == 1 and len(starts) > 1:
        starts.pop()
    ends = [*starts[1:], pages]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]


def _slice(
    number: int,
    index: int,
    count: int,
    page: tuple[float, float],
    offset: float,
    seal: tuple[float, float],
    edge: Edge,
) -> Placement:
    width, height = seal
    if edge in {Edge.RIGHT, Edge.LEFT}:
        piece = width / count
        shift = index if edge is Edge.RIGHT else count - 1 - index
        x = page[0] - (index + 1) * piece if edge is Edge.RIGHT else -shift * piece
        return Placement(number, x, offset, width, height, (shift * piece, 0.0, piece, height))
    piece = height / count
    shift = index if edge is Edge.BOTTOM else count - 1 - index
    y = page[1] - (index + 1) * piece if edge is Edge.BOTTOM else -shift * piece
    return Placement(number, offset, y, width, height, (0.0, shift * piece, width, piece))
