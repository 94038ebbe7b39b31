"""The departments' lists and their change feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.errors import FIELD_MALFORMED, Kind, Violation, declare, refuse
from chassis.paging import page_token, page_token_mistakes, read_page_token
from services.intake.domain.cases.states import PartState
from services.intake.usecases.cases.ports import PartChange, PartSummary, Work

PAGE_DEFAULT = 50
PAGE_LIMIT = 500

REVISION_UNKNOWN = declare(
    "REVISION_UNKNOWN",
    Kind.FAILED_PRECONDITION,
    "变更序号超出范围（最新为 {head}），请重新获取列表",
    "No such revision, the last is {head}; read the list anew",
)


@dataclass(frozen=True, slots=True)
class PartPage:
    """A page of a department's list; the token is empty on the last one."""

    parts: Sequence[PartSummary]
    next_page_token: str


async def list_parts(
    work: Work,
    department_code: str,
    states: Sequence[PartState],
    page_size: int,
    token: str,
    *,
    wrong: Sequence[Violation] = (),
) -> PartPage:
    """Return the department's parts, newest change first.

    Raises INVALID_REQUEST for a negative size, a foreign token, and what the door found ``wrong``.
    """
    refuse([*wrong, *_size_mistakes(page_size), *page_token_mistakes(token)])
    limit, before = _limit(page_size), read_page_token(token)
    found = await work.cases.list_of_department(department_code, states, before=before, limit=limit + 1)
    page = list(found[:limit])
    more = page_token((page[-1].changed_at, page[-1].part_id)) if len(found) > limit else ""
    return PartPage(page, more)


async def list_changes(
    work: Work, department_code: str, after_revision: int, page_size: int
) -> Sequence[PartChange]:
    """Return the changes after a revision: ordered, without a gap, none twice; long after, the newest of each part.

    Raises INVALID_REQUEST for a negative revision, REVISION_UNKNOWN for one that was never given out:
    whoever holds one must read the list anew.
    """
    wrong = [FIELD_MALFORMED.at("start_revision")] if after_revision < 0 else []
    refuse(wrong + _size_mistakes(page_size))
    found = await work.feed.read(department_code, after_revision, _limit(page_size))
    if not found and after_revision > 0:
        head = await work.feed.head(department_code)
        if after_revision > head:
            raise REVISION_UNKNOWN(head=head)
    return found


def _size_mistakes(page_size: int) -> list[Violation]:
    return [FIELD_MALFORMED.at("page_size")] if page_size < 0 else []


def _limit(page_size: int) -> int:
    return min(page_size or PAGE_DEFAULT, PAGE_LIMIT)
