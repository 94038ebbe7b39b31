"""Falls of licences, stored with the act that makes them; whom they touch is worked out later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.reliance import Fall, FallCause, cause_of, corrects
from services.certs.domain.status import LicenceStatus

_FALLS = """
insert into licence_fall (licence_id, version, cause, effective_at, fell_at)
select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[])
on conflict (licence_id, version) do nothing
"""
Change = tuple[str, int, str, str, datetime]
"""A change of status: licence, version after it, status before and after, from when it counts."""
Correction = tuple[str, int, str, str]
"""New content: licence, version after it, status before and after."""


async def note_changes(tx: Transaction, changes: Iterable[Change]) -> None:
    """Store those changes of status that are falls."""
    found = []
    for licence_id, version, previous, status, effective_at in changes:
        cause = cause_of(LicenceStatus(previous), LicenceStatus(status))
        if cause:
            found.append(Fall(licence_id, version, cause, effective_at, tx.now()))
    await note_falls(tx, found)


async def note_corrections(tx: Transaction, corrections: Iterable[Correction]) -> None:
    """Store that licences have other content than was relied on; where the status fell too, that says it."""
    found = [
        Fall(licence_id, version, FallCause.CORRECTED, tx.now(), tx.now())
        for licence_id, version, previous, status in corrections
        if corrects(LicenceStatus(previous), LicenceStatus(status))
    ]
    await note_falls(tx, found)


async def note_falls(tx: Transaction, falls: Sequence[Fall]) -> None:
    """Store that licences fell, each once, in one statement."""
    if falls:
        await tx.execute(
            _FALLS,
            [UUID(each.licence_id) for each in falls],
            [each.version for each in falls],
            [each.cause.value for each in falls],
            [each.effective_at for each in falls],
            [each.fell_at for each in falls],
        )
