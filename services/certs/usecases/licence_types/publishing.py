"""Publish versions of licence types, each checked against the licences that are stored; list and get them.

1. The documents are compared with the newest versions: what changes, and what must be looked for.
2. All stored licences are walked once, in batches, each a short transaction; what stands against a change
   is counted, never shown.
3. In one transaction, under a lock: nobody published meanwhile, no licence that came in meanwhile breaks
   a change; then every changed type becomes its next version. Or, of a rehearsal, nothing happens.

A licence says by which version it was stored, and stays readable by it: also one whose content is replaced
during the walk, and one that another process stores in the seconds until it has read the new version.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chassis.errors import Kind, declare
from services.certs.domain.licence_type import Change, Effect, LicenceType, LicenceTypes, compare
from services.certs.domain.licence_type.compatibility import CODE_CHANGED
from services.certs.usecases.licence_types.ports import OpenRecords, PublishedType, TypeRecords
from services.certs.usecases.licence_types.tally import Planned, Tally

SCAN_ROWS = 2_000
OVERLAP = timedelta(minutes=1)
"""How far back of the walk's beginning the last look goes: longer than any transaction lives."""

LICENCE_TYPES_INCOMPATIBLE = declare(
    "LICENCE_TYPES_INCOMPATIBLE",
    Kind.FAILED_PRECONDITION,
    "{changes} 处变更与已有证照冲突，未发布任何类型",
    "{changes} changes do not fit the stored licences; no type was published",
)
LICENCE_TYPES_CHANGED_MEANWHILE = declare(
    "LICENCE_TYPES_CHANGED_MEANWHILE",
    Kind.ABORTED,
    "检查期间已有新版本发布，请重试",
    "Another version was published meanwhile; try again",
)


async def plan(records: TypeRecords, kinds: Sequence[LicenceType]) -> Tally:
    """Compare types with their newest versions; nothing is walked yet."""
    newest = LicenceTypes(each.kind for each in await records.all())
    told = {each.code for each in kinds}
    named = {each.name: each for each in newest.values() if each.code not in told}
    planned = tuple(_planned(kind, newest.get(kind.code), named.get(kind.name)) for kind in kinds)
    tally = Tally(planned)
    if tally.scanned_codes:
        tally.expected = await records.count_licences()
    return tally


async def walk(opened: OpenRecords, tally: Tally) -> AsyncIterator[Tally]:
    """Walk the stored licences as far as a change must be looked for; yield the tally after every batch."""
    codes, after = tally.scanned_codes, ""
    while codes:
        async with opened() as records:
            found, after, walked = await records.faces(after, SCAN_ROWS, codes)
        for licence in found:
            tally.count(licence)
        tally.walked += walked
        yield tally
        if not after:
            return


async def publish(
    records: TypeRecords, tally: Tally, began_at: datetime, by: str, source: str, now: datetime
) -> list[PublishedType]:
    """Publish what was planned and walked; return the new versions. All of it or nothing.

    Raises LICENCE_TYPES_INCOMPATIBLE naming every change that must not be, LICENCE_TYPES_CHANGED_MEANWHILE.
    """
    await records.lock()
    newest = LicenceTypes(each.kind for each in await records.all())
    if any(newest.get(each.kind.code) != each.base for each in tally.planned):
        raise LICENCE_TYPES_CHANGED_MEANWHILE()
    if not tally.violations():
        await _look_again(records, tally, began_at - OVERLAP)
    wrong = tally.violations()
    if wrong:
        raise LICENCE_TYPES_INCOMPATIBLE(violations=wrong, changes=len(wrong))
    made = [
        PublishedType(replace(each.kind, version=each.next_version), now, by, source)
        for each in tally.planned
        if each.is_new_version
    ]
    for one in made:
        await records.add(one)
    return made


async def publish_missing(
    records: TypeRecords, kinds: Iterable[LicenceType], by: str, source: str, now: datetime
) -> tuple[list[PublishedType], list[str]]:
    """Publish as version 1 every type that has no version yet; return all versions, and who differs.

    Those whose newest version says something else are left as they are: a change is published by somebody.
    """
    await records.lock()
    held = await records.all()
    newest = LicenceTypes(each.kind for each in held)
    differing = []
    for kind in kinds:
        known = newest.get(kind.code)
        if known is None:
            held.append(PublishedType(replace(kind, version=1), now, by, source))
            await records.add(held[-1])
        elif compare(known, kind):
            differing.append(kind.code)
    return held, differing


async def _look_again(records: TypeRecords, tally: Tally, since: datetime) -> None:
    """Count the licences that came in while the others were walked; one that was counted breaks nothing."""
    after, codes = records.first_of(since), tally.scanned_codes
    while codes:
        found, after, _ = await records.faces(after, SCAN_ROWS, codes)
        for licence in found:
            tally.count(licence)
        if not after:
            return


def _planned(kind: LicenceType, base: LicenceType | None, namesake: LicenceType | None) -> Planned:
    """Plan one type. A new code for a name that is published under another one is a change of code."""
    if base is not None:
        return Planned(kind, base, tuple(compare(base, kind)))
    if namesake is not None:
        return Planned(kind, None, (Change("code", Effect.REFUSED, CODE_CHANGED, known_as=namesake.code),))
    return Planned(kind, None, ())
