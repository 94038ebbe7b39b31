"""Make annotated copies of what a holder has in force, for who has the holder's number and no identifier."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from chassis.errors import Kind, declare, refuse
from services.certs.domain.evidence.annotation import expiry_violations
from services.certs.domain.holder import Holder
from services.certs.domain.licence import LICENCE_NOT_FOUND, Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.purpose import Purpose, purpose_violations
from services.certs.domain.usage import ALLOWED, Reader, Usage, UsageKind
from services.certs.domain.use_code import Grounds
from services.certs.usecases.annotate import Copy, make_annotated_copy, require_usable
from services.certs.usecases.ports import NewId, Registry, SummarySigner
from services.certs.usecases.search import LARGEST_PAGE, Query, look_for, query_violations

COPIES_LIMIT = 20
"""Copies of one call; each is laid out anew."""

HOLDER_HAS_TOO_MANY = declare(
    "HOLDER_HAS_TOO_MANY",
    Kind.FAILED_PRECONDITION,
    "该持证主体的此类证照超过 {limit} 份，请注明证照编号，或先检索再按证照标识获取",
    "The holder has more than {limit} of this type; name the number, or list them and ask by identifier",
)


async def make_copies_of_holder(
    registry: Registry,
    types: LicenceTypes,
    signer: SummarySigner,
    reader: Reader,
    query: Query,
    purpose: Purpose,
    expires_at: datetime | None,
    new_id: NewId,
    now: datetime,
    *,
    grounds: Grounds | None = None,
    covers: Callable[[str], bool] = lambda _type_code: True,
) -> list[Copy]:
    """Return a copy, with its ticket, of each licence of the holder that is in force; all of them or none.

    What is frozen by a dispute is left out where there is something else. Each copy leaves its line, and so does
    a look-up that found nothing or was refused. Raises INVALID_REQUEST, LICENCE_NOT_FOUND, LICENCE_NOT_USABLE,
    LICENCE_IN_DISPUTE, HOLDER_HAS_TOO_MANY, and as `make_annotated_copy` does.
    """
    wrong = [*query_violations(query), *purpose_violations(purpose), *expiry_violations(expires_at, now)]
    refuse(wrong)
    page = await look_for(registry, signer, reader, query, purpose, (LARGEST_PAGE, None), now)
    found = [each for each in page.licences if covers(each.type_code)]

    def on_record(outcome: str) -> None:
        asked = Holder(*query.holder) if query.holder else None
        line = Usage(new_id(), UsageKind.FIND, reader, purpose, now, outcome, holder=asked, grounds=grounds)
        registry.usages.record_if_refused([line])

    if not found:
        on_record(ALLOWED)
        raise LICENCE_NOT_FOUND()
    chosen = _chosen(found, reader, now)
    if page.next_place or len(chosen) > COPIES_LIMIT:
        on_record(HOLDER_HAS_TOO_MANY.code)
        raise HOLDER_HAS_TOO_MANY(limit=COPIES_LIMIT)
    if not chosen:
        require_usable(registry, reader, purpose, found[0], new_id, now)
    return [
        await make_annotated_copy(
            registry,
            types,
            reader,
            (each.licence_id, ""),
            purpose,
            expires_at,
            new_id,
            now,
            with_ticket=True,
            grounds=grounds,
            covers=covers,
        )
        for each in chosen
    ]


def _chosen(found: list[Licence], reader: Reader, now: datetime) -> list[Licence]:
    """Return what is in force and, of that, what is not frozen for the reader, unless everything is."""
    usable = [each for each in found if each.is_usable(now)]
    return [each for each in usable if not {"", reader.code} & set(each.frozen_for)] or usable
