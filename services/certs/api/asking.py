"""What the calls of the sharing interface have in common: needed fields, moments, pages, what is found and usable."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from chassis.clock import CHINA_TIME
from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, Violation, refuse
from services.certs.api.door import Visit, new_id
from services.certs.domain.disclosure import Shown
from services.certs.domain.holder import CITIZEN_CODE, USCC_CODE, check_holder_number
from services.certs.domain.licence import LICENCE_NOT_FOUND, LICENCE_NOT_USABLE
from services.certs.domain.purpose import Purpose
from services.certs.domain.usage import UsageKind
from services.certs.domain.use_code import Grounds
from services.certs.usecases.copies_of_holder import HOLDER_HAS_TOO_MANY
from services.certs.usecases.evidence_ports import Place
from services.certs.usecases.search import LARGEST_PAGE, Query, ShownPage, search


async def found_page(
    visit: Visit,
    query: Query,
    purpose: Purpose,
    grounds: Grounds | None,
    page: tuple[int, Place | None],
    kind: UsageKind | None = None,
) -> ShownPage:
    """Return a page of what matches, recorded; a type outside the agreement is as if it were not there."""
    door = visit.door
    async with door.database.transaction() as tx:
        return await search(
            door.registry_of(tx),
            door.types,
            door.signer,
            visit.reader,
            query,
            purpose,
            page,
            new_id,
            door.clock(),
            grounds,
            kind=kind,
            covers=visit.covers,
        )


async def found(
    visit: Visit,
    query: Query,
    purpose: Purpose,
    grounds: Grounds | None,
    *,
    empty_is_fine: bool = False,
    kind: UsageKind | None = None,
) -> list[Shown]:
    """Return all that matches, recorded. Raises LICENCE_NOT_FOUND, HOLDER_HAS_TOO_MANY: nothing is cut off unsaid."""
    page = await found_page(visit, query, purpose, grounds, (LARGEST_PAGE, None), kind)
    if page.next_place:
        raise HOLDER_HAS_TOO_MANY(limit=LARGEST_PAGE)
    if not page.licences and not empty_is_fine:
        raise LICENCE_NOT_FOUND()
    return list(page.licences)


def usable_of(visit: Visit, shown: Sequence[Shown]) -> list[Shown]:
    """Return those in force; raise LICENCE_NOT_USABLE with the first one's status if none is."""
    now = visit.door.clock()
    usable = [each for each in shown if each.licence.is_usable(now)]
    if not usable:
        raise LICENCE_NOT_USABLE(status=shown[0].licence.usability(now)) if shown else LICENCE_NOT_FOUND()
    return usable


def kind_of_number(number: str) -> str:
    """Return what kind of holder's code a number is, where the caller does not say."""
    return CITIZEN_CODE if not check_holder_number(CITIZEN_CODE, number).flags else USCC_CODE


def moment(field: str, text: str) -> datetime | None:
    """Return a moment given as ``YYYY-MM-DD HH:MM:SS`` in China, or with its own zone; None for none."""
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo else given.replace(tzinfo=CHINA_TIME)).astimezone(UTC)
    except (ValueError, OverflowError):
        refuse([FIELD_MALFORMED.at(field)])
        raise


def local(at: datetime) -> str:
    """Return a moment as the interface writes it, in China's time."""
    return at.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S")


def need(**given: str) -> None:
    """Raise INVALID_REQUEST naming every mandatory field that is empty."""
    wrong: list[Violation] = [FIELD_REQUIRED.at(name) for name, value in given.items() if not value]
    refuse(wrong)
