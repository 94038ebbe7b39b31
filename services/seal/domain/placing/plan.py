"""What a caller may wish for, and the stamps that it comes to on a given document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from chassis.errors import Fault, Kind, Violation, declare, refuse
from services.seal.domain import ofd
from services.seal.domain.placing.keywords import Occurrence, find_keyword
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
PLACEMENT_NOT_FOR_PDF = declare(
    "PLACEMENT_NOT_FOR_PDF",
    Kind.INVALID_ARGUMENT,
    "PDF 文件不支持按关键字定位，请指定页码和坐标、每页或骑缝",
    "A PDF is not searched for keywords: give a page and place, every page, or riding",
)
STAMPS_TOO_MANY = declare(
    "STAMPS_TOO_MANY",
    Kind.INVALID_ARGUMENT,
    "一次签章的印模不得超过 {limit} 处",
    "One signature shows its seal at most {limit} times",
)
_LONGEST_KEYWORD = 64
_MOST_STAMPS = 5_000


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
Search = Callable[[str], list[Occurrence]]


def plan_placements(
    document: bytes, wishes: Sequence[Wish], width_mm: float, height_mm: float
) -> list[Placement]:
    """Return the stamps of a seal of that size; `seal_document` then makes one signature with all of them.

    Raises:
        INVALID_REQUEST: Names every keyword that is not found or not usable and every stamp off its page, as
            ``placements[n]``.
        RIDING_SEAL_IMPOSSIBLE: The document has too few pages, or too many for one group.
        STAMPS_TOO_MANY: The wishes come to too many stamps.
        OFD_UNREADABLE: The package or the text on its pages cannot be read.
    """
    try:
        package = ofd.read_package(document)
        pages = list(ofd.view_document(package).pages.values())
        return _placed(partial(find_keyword, package, pages), pages, wishes, (width_mm, height_mm))
    except (ofd.PackageError, ofd.XmlError) as error:
        raise OFD_UNREADABLE(why=error) from None


def plan_on_pages(
    sizes_mm: Sequence[tuple[float, float]], wishes: Sequence[Wish], width_mm: float, height_mm: float
) -> list[Placement]:
    """Return the stamps on pages of which only width and height are known, as those of a PDF.

    Raises what `plan_placements` raises but OFD_UNREADABLE; a keyword is PLACEMENT_NOT_FOR_PDF.
    """
    pages = [ofd.Page(str(number), "", (0.0, 0.0, *size)) for number, size in enumerate(sizes_mm, 1)]
    return _placed(None, pages, wishes, (width_mm, height_mm))


def _placed(
    search: Search | None, pages: list[ofd.Page], wishes: Sequence[Wish], size: tuple[float, float]
) -> list[Placement]:
    if sum(len(pages) for each in wishes if not isinstance(each, At)) > _MOST_STAMPS:
        raise STAMPS_TOO_MANY(limit=_MOST_STAMPS)
    planned = [_plan(search, pages, wish, size) for wish in wishes]
    refuse(
        Violation(f"placements[{index}]", problem.reason, problem.metadata)
        for index, (_, problems) in enumerate(planned)
        for problem in problems
    )
    return [placement for placements, _ in planned for placement in placements]


def _plan(
    search: Search | None, pages: list[ofd.Page], wish: Wish, size: tuple[float, float]
) -> tuple[list[Placement], list[Violation]]:
    if isinstance(wish, AtKeyword):
        if search is None:
            return [], [PLACEMENT_NOT_FOR_PDF.at("")]
        return _at_keyword(search, pages, wish, size)
    if isinstance(wish, Riding):
        boxes = [page.box_mm[2:] for page in pages]
        return riding_seal(boxes, wish.offset_mm, *size, wish.edge, wish.group), []
    number = wish.page if isinstance(wish, At) else 1
    one = Placement(number, wish.x_mm, wish.y_mm, *size)
    return _on_pages([one] if isinstance(wish, At) else on_every_page(one, len(pages)), pages)


def _at_keyword(
    search: Search, pages: list[ofd.Page], wish: AtKeyword, size: tuple[float, float]
) -> tuple[list[Placement], list[Violation]]:
    nth = wish.occurrence
    if not 0 < len(wish.keyword.strip()) <= _LONGEST_KEYWORD or (nth is not None and nth < 1):
        return [], [KEYWORD_WRONG.at("", limit=_LONGEST_KEYWORD)]
    found = search(wish.keyword)
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
