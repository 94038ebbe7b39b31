"""Sources, conflicts and day totals between their messages and the domain."""

from __future__ import annotations

from datetime import date

from chassis.rpc.moments import stamp
from services.certs.domain.importing import Source
from services.certs.domain.importing.canonical import DayTotal
from services.certs.usecases.import_ports import Conflict
from services.certs.usecases.importing.reconciling import Reconciled
from tongban.certs.v1 import source_pb2 as pb

_RESOLUTIONS = {"kept": pb.CONFLICT_RESOLUTION_KEPT, "taken": pb.CONFLICT_RESOLUTION_TAKEN}
_WORDS = {number: word for word, number in _RESOLUTIONS.items()}


def source(message: pb.Source) -> Source:
    """Return a source as it is to be registered."""
    return Source(
        message.source_id,
        message.department_code,
        message.county_code,
        message.name,
        message.priority,
        tuple(message.issuer_codes),
        tuple(message.type_codes),
        message.freshness_seconds,
    )


def source_message(source: Source) -> pb.Source:
    """Return a registered source."""
    return pb.Source(
        source_id=source.source_id,
        department_code=source.department_code,
        county_code=source.county_code,
        name=source.name,
        priority=source.priority,
        issuer_codes=source.issuer_codes,
        type_codes=source.type_codes,
        freshness_seconds=source.freshness_seconds,
        etag=source.etag,
    )


def resolution(number: int) -> str:
    """Return the word of a resolution, empty for none that we know."""
    return _WORDS.get(number, "")  # type: ignore[call-overload, no-any-return]


def conflict(found: Conflict) -> pb.ImportConflict:
    """Return a conflict."""
    return pb.ImportConflict(
        conflict_id=found.conflict_id,
        licence_id=found.licence_id,
        source_id=found.source_id,
        held_source_id=found.held_source_id,
        held_digest=found.held_key.hex(),
        offered_digest=found.offered_key.hex(),
        issuer_code=found.issuer_code,
        found_at=stamp(found.found_at),
        resolution=_RESOLUTIONS.get(found.resolution, pb.CONFLICT_RESOLUTION_UNSPECIFIED),
        resolved_at=stamp(found.resolved_at) if found.resolved_at else None,
        resolved_by=found.resolved_by,
        reason=found.reason,
    )


def day(text: str) -> date | None:
    """Return a day of ``YYYY-MM-DD``, None for any other text."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.isoformat() == text else None


def day_total(message: pb.DayTotal) -> DayTotal | None:
    """Return what a register has of a day, None when the day cannot be read."""
    found = day(message.day)
    return DayTotal(found, message.count, message.hash) if found else None


def reconciled(found: Reconciled) -> pb.ReconcileSourceResponse:
    """Return equal and differing days."""
    return pb.ReconcileSourceResponse(
        equal_days=[each.isoformat() for each in found.equal],
        differing_days=[
            pb.DayDifference(day=each.day.isoformat(), count=each.count, registry_count=each.registry_count)
            for each in found.differing
        ],
    )
