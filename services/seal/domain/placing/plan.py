"""What a caller may wish for, and the stamps that it comes to on a given document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.errors import Fault, Kind, Violation, declare, refuse
from services.seal.domain import ofd
from services.seal.domain.placing.keywords import find_keyword
from services.seal.domain.placing.placement import STAMP_OUTSIDE_PAGE, Placement, on_every_page, stamp_on
from services.seal.domain.placing.riding import Edge, riding_seal

KEYWORD_WRONG = declare(
    "KEYWORD_WRONG",
    Kind.INVALID_ARGUMENT,
    "关键字应为 1 至 {limit} 字，序号从 1 起",
    "A keyword needs 1 to {limit} characters, its occurrence counts from 1",
)
KEYWORD_NOT_FOUND = declare(
    "KEYWORD_NOT_FOUND",
    Kind.FAILED_PRECONDITION,
    "文件中未找到关键字（出现 {found} 次）",
    "The keyword does not stand in the document that often (found {found} times)",
)
OFD_UNREADABLE = declare(
    "OFD_UNREADABLE",
    Kind.INVALID_ARGUMENT,
    "OFD 文件无法读取：{why}",
    "The OFD document cannot be read: {why}",
)
_LONGEST_KEYWORD = 64


@dataclass(frozen=True, slots=True)
class At:
    """At a fixed place: page from 1, the seal's top left corner in millimetres."""

    page: int
    x_mm: float
    y_mm: float


@dataclass(frozen=True, slots=True)
class OnEveryPage:
    """At the same place of every page."""

    x_mm: float
    y_mm: float


@dataclass(frozen=True, slots=True)
class Riding:
    """Across the pages' edge, `offset_mm` from their top (side edges) or left; in groups of `group` pages."""

    offset_mm: float
    edge: Edge = Edge.RIGHT
    group: int | None = None


@dataclass(frozen=True, slots=True)
class AtKeyword:
    """Centred on a keyword, moved by an offset: on its nth occurrence (from 1), or on all with None."""

    keyword: str
    occurrence: int | None = 1
    offset_x_mm: float = 0.0
    offset_y_mm: float = 0.0


Wish = At | OnEveryPage | Riding | AtKeyword


def plan_placements(
    document: bytes, wishes: Sequence[Wish], width_mm: float, height_mm: float
) -> list[Placement]:
    """Return the stamps of a seal of that size; `seal_document` then makes one signature with all of them.

    Raises:
        INVALID_REQUEST: Names every keyword that is not found or not usable and every stamp off its page, as
            ``placements[n]``.
        RIDING_SEAL_IMPOSSIBLE: The document has too few pages, or too many for one group.
        OFD_UNREADABLE: The package or the text on its pages cannot be read.
    """
    try:
        package = ofd.read_package(document)
        pages = list(ofd.view_document(package).pages.values())
        planned = [_plan(package, pages, wish, (width_mm, height_mm)) for wish in wishes]
    except (ofd.PackageError, ofd.XmlError) as error:
        raise OFD_UNREADABLE(why=error) from None
    refuse(
        Violation(f"placements[{index}]", problem.reason, problem.metadata)
        for index, (_, problems) in enumerate(planned)
        for problem in problems
    )
    return [placement for placements, _ in planned for placement in placements]


def _plan(
    package: ofd.Package, pages: list[ofd.Page], wish: Wish, size: tuple[float, float]
) -> tuple[list[Placement], list[Violation]]:
    if isinstance(wish, AtKeyword):
        return _at_keyword(package, pages, wish, size)
    if isinstance(wish, Riding):
        boxes = [page.box_mm[2:] for page in pages]
        return riding_seal(boxes, wish.offset_mm, *size, wish.edge, wish.group), []
    number = wish.page if isinstance(wish, At) else 1
    one = Placement(number, wish.x_mm, wish.y_mm, *size)
    return _on_pages([one] if isinstance(wish, At) else on_every_page(one, len(pages)), pages)


def _at_keyword(
    package: ofd.Package, pages: list[ofd.Page], wish: AtKeyword, size: tuple[float, float]
) -> tuple[list[Placement], list[Violation]]:
    nth = wish.occurrence
    if not 0 < len(wish.keyword.strip()) <= _LONGEST_KEYWORD or (nth is not None and nth < 1):
        return [], [KEYWORD_WRONG.at("", limit=_LONGEST_KEYWORD)]
    found = find_keyword(package, pages, wish.keyword)
    if len(found) < (nth or 1):
        return [], [KEYWORD_NOT_FOUND.at("", found=len(found))]
    placements = []
    for place in found if nth is None else found[nth - 1 : nth]:
        x, y, width, height = place.box_mm
        left, top = x + (width - size[0]) / 2, y + (height - size[1]) / 2
        placements.append(Placement(place.page, left + wish.offset_x_mm, top + wish.offset_y_mm, *size))
    return _on_pages(placements, pages)


def _on_pages(placements: list[Placement], pages: list[ofd.Page]) -> tuple[list[Placement], list[Violation]]:
    problems = []
    for placement in placements:
        try:
            stamp_on(placement, pages)
        except Fault:
            problems.append(STAMP_OUTSIDE_PAGE.at(""))
    return placements, problems[:1]
