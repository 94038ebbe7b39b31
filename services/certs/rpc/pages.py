"""Pages of lists: where one begins, how long it is, and what it is cut to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from chassis.errors import FIELD_MALFORMED, refuse
from chassis.paging import Place, page_token, page_token_mistakes, read_page_token

DEFAULT_PAGE = 50
LARGEST_PAGE = 200
Row = TypeVar("Row")


def page_asked(token: str, size: int) -> tuple[Place | None, int]:
    """Return where a page begins and its size. Raises INVALID_REQUEST."""
    wrong = page_token_mistakes(token)
    if size < 0:
        wrong.append(FIELD_MALFORMED.at("page_size"))
    refuse(wrong)
    return read_page_token(token), min(size or DEFAULT_PAGE, LARGEST_PAGE)


def cut(found: Sequence[Row], size: int, place_of: Callable[[Row], Place]) -> tuple[Sequence[Row], str]:
    """Return the page of what was read, one row more than a page, and the token of the next one."""
    page = found[:size]
    return page, page_token(place_of(page[-1])) if len(found) > size else ""
