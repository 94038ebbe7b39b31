"""The departments' lists and their change feed."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import FIELD_MALFORMED, Kind, declare, refuse
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
    work: Work, department_code: str, states: Sequence[PartState], page_size: int, page_token: str
) -> PartPage:
    """Return the department's parts, newest change first. Raises INVALID_REQUEST for a foreign token."""
    limit = page_limit(page_size)
    before = _read_token(page_token) if page_token else None
    found = await work.cases.list_of_department(department_code, states, before=before, limit=limit + 1)
    page = list(found[:limit])
    return PartPage(page, _token(page[-1]) if len(found) > limit else "")


async def list_changes(
    work: Work, department_code: str, after_revision: int, page_size: int
) -> Sequence[PartChange]:
    """Return the changes after a revision: ordered, without a gap, none twice.

    Raises INVALID_REQUEST for a negative revision, REVISION_UNKNOWN for one that was never given out:
    whoever holds one must read the list anew.
    """
    if after_revision < 0:
        refuse([FIELD_MALFORMED.at("start_revision")])
    found = await work.feed.read(department_code, after_revision, page_limit(page_size))
    if not found and after_revision > 0:
        head = await work.feed.head(department_code)
        if after_revision > head:
            raise REVISION_UNKNOWN(head=head)
    return found


def page_limit(page_size: int) -> int:
    """Return the page size to use. Raises INVALID_REQUEST for a negative one."""
    if page_size < 0:
        refuse([FIELD_MALFORMED.at("page_size")])
    return min(page_size or PAGE_DEFAULT, PAGE_LIMIT)


def _token(last: PartSummary) -> str:
    place = json.dumps([last.changed_at.isoformat(), last.part_id])
    return base64.urlsafe_b64encode(place.encode()).decode()


def _read_token(token: str) -> tuple[datetime, str] | None:
    try:
        changed_at, part_id = json.loads(base64.urlsafe_b64decode(token.encode()))
        place = datetime.fromisoformat(changed_at), str(part_id)
    except (binascii.Error, ValueError, TypeError):
        refuse([FIELD_MALFORMED.at("page_token")])
        return None
    return place
