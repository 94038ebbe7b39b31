"""Conflicts between sources: listed, and resolved by the issuer of the licence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chassis.errors import FIELD_MALFORMED, Kind, Violation, declare, refuse
from services.certs.domain.importing import ImportRow, Outcome
from services.certs.domain.importing.source import OWN_PRIORITY
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.wording import stated_violations
from services.certs.usecases.import_ports import Conflict, RowVault
from services.certs.usecases.importing.preparing import Importer, prepare_rows
from services.certs.usecases.importing.settling import Settling
from services.certs.usecases.ports import NewId, Registry

KEPT, TAKEN = "kept", "taken"
REASON_LIMIT = 500

CONFLICT_NOT_FOUND = declare("CONFLICT_NOT_FOUND", Kind.NOT_FOUND, "没有找到该数据冲突", "No such conflict")
CONFLICT_ALREADY_RESOLVED = declare(
    "CONFLICT_ALREADY_RESOLVED",
    Kind.FAILED_PRECONDITION,
    "该数据冲突已处理：{resolution}",
    "The conflict is resolved already: {resolution}",
)
CONFLICT_NOT_TAKEABLE = declare(
    "CONFLICT_NOT_TAKEABLE",
    Kind.FAILED_PRECONDITION,
    "无法采用该来源的内容：{cause}",
    "The content that was offered cannot be taken: {cause}",
)


async def resolve_conflict(
    registry: Registry,
    vault: RowVault,
    types: LicenceTypes,
    caller: str,
    issuer_code: str,
    conflict_id: str,
    resolution: str,
    reason: str,
    new_id: NewId,
    now: datetime,
) -> Conflict:
    """Keep the licence as it is, or have it take the content that was offered; return the conflict.

    ``issuer_code`` is the deciding department, empty for an operator; of another issuer's licence there is no
    conflict. What is taken counts for its own source. The decision holds against the content that it overruled:
    the source of that may deliver it again and again, and prevails only with content that differs from it.
    Raises INVALID_REQUEST, CONFLICT_NOT_FOUND, CONFLICT_ALREADY_RESOLVED, CONFLICT_NOT_TAKEABLE.
    """
    refuse(_mistakes(resolution, reason))
    found = await registry.sources.conflict(conflict_id)
    if found is None or issuer_code not in {"", found[0].issuer_code}:
        raise CONFLICT_NOT_FOUND()
    conflict, fields = found
    if conflict.resolution:
        raise CONFLICT_ALREADY_RESOLVED(resolution=conflict.resolution)
    if resolution == TAKEN:
        conflict = await _take(registry, vault, types, caller, conflict, fields, new_id, now)
    done = replace(conflict, resolution=resolution, resolved_at=now, resolved_by=caller, reason=reason)
    await registry.sources.save_resolution(done)
    return done


async def list_conflicts(
    registry: Registry, owner: str, *, open_only: bool, before: tuple[datetime, str] | None, limit: int
) -> Sequence[Conflict]:
    """Return conflicts, newest first: of a department's sources and licences, or all for an empty owner."""
    return await registry.sources.conflicts(owner, open_only=open_only, before=before, limit=limit)


async def _take(
    registry: Registry,
    vault: RowVault,
    types: LicenceTypes,
    caller: str,
    conflict: Conflict,
    fields: dict[str, str],
    new_id: NewId,
    now: datetime,
) -> Conflict:
    """Store what was offered; return the conflict with what was held until then."""
    importer = Importer(caller, None, conflict.source_id, OWN_PRIORITY)
    rows = prepare_rows(vault, types, importer, [ImportRow(1, fields)], now)
    problems: tuple[Violation, ...] = rows[0].problems
    if not problems:
        batch = f"conflict-{conflict.conflict_id}"
        settling = Settling(registry, importer, batch, {1: fields}, new_id, now, overrules=True)
        await settling.lock(rows)
        held = (await registry.imports.lock_held([rows[0].identifier_key])).get(rows[0].identifier_key)
        settled, _ = await settling.settle(rows)
        answers = [answer for _, answer in settled]
        problems = tuple(each for answer in answers for each in answer.problems)
        if not problems and [answer.outcome for answer in answers] not in (
            [Outcome.UPDATED],
            [Outcome.UNCHANGED],
        ):
            raise CONFLICT_NOT_TAKEABLE(cause="LICENCE_NOT_REGISTERED")
    if problems:
        raise CONFLICT_NOT_TAKEABLE(cause=", ".join(sorted({each.reason.code for each in problems})))
    assert held is not None, "what was updated was held"
    return replace(conflict, held_source_id=held.source_id, held_key=held.content_key)


def _mistakes(resolution: str, reason: str) -> list[Violation]:
    wrong = [] if resolution in {KEPT, TAKEN} else [FIELD_MALFORMED.at("resolution")]
    return wrong + stated_violations("reason", reason, REASON_LIMIT)
