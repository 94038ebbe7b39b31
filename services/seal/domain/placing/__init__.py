"""Where to stamp: fixed places, every page, the pages' edges, and beside words found on the pages."""

from __future__ import annotations

from services.seal.domain.placing.keywords import Occurrence, find_keyword
from services.seal.domain.placing.placement import (
    STAMP_OUTSIDE_PAGE,
    Placement,
    on_every_page,
    stamp_on,
)
from services.seal.domain.placing.plan import (
    KEYWORD_NOT_FOUND,
    KEYWORD_WRONG,
    OFD_UNREADABLE,
    PLACEMENT_NOT_FOR_PDF,
    STAMPS_TOO_MANY,
    At,
    AtKeyword,
    OnEveryPage,
    Riding,
    Wish,
    plan_on_pages,
    plan_placements,
)
from services.seal.domain.placing.riding import RIDING_SEAL_IMPOSSIBLE, Edge, riding_seal

__all__ = [
    "KEYWORD_NOT_FOUND",
    "KEYWORD_WRONG",
    "OFD_UNREADABLE",
    "PLACEMENT_NOT_FOR_PDF",
    "RIDING_SEAL_IMPOSSIBLE",
    "STAMPS_TOO_MANY",
    "STAMP_OUTSIDE_PAGE",
    "At",
    "AtKeyword",
    "Edge",
    "Occurrence",
    "OnEveryPage",
    "Placement",
    "Riding",
    "Wish",
    "find_keyword",
    "on_every_page",
    "plan_on_pages",
    "plan_placements",
    "riding_seal",
    "stamp_on",
]
