"""Who delivers licence data: the importer of a call, the registration of sources."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.errors import ETAG_MISMATCH, FIELD_REQUIRED, refuse
from services.certs.domain.department import Department
from services.certs.domain.importing.source import (
    KEEPER_SECTOR,
    OPERATOR_SOURCE,
    OWN_PRIORITY,
    SOURCE_NOT_FOUND,
    Source,
    check_source,
    own_source,
)
from services.certs.usecases.import_ports import Sources
from services.certs.usecases.importing.preparing import Importer
from services.certs.usecases.ports import Registry


async def importer_of(
    registry: Registry, caller: str, department: Department | None, source_id: str
) -> Importer:
    """Return who imports, and from which source; without one named it is the caller's own register.

    ``department`` is None for an operator, who may deliver any issuer's licences. Raises SOURCE_NOT_FOUND
    for a source that is not registered, or is another department's.
    """
    if department is None:
        source = await registry.sources.find(source_id) if source_id else None
        if source_id and source is None:
            raise SOURCE_NOT_FOUND()
        return Importer(
            caller, source, source_id or OPERATOR_SOURCE, source.priority if source else OWN_PRIORITY
        )
    source = await source_of(registry.sources, department, source_id)
    return Importer(caller, source, source.source_id, source.priority)


async def source_of(sources: Sources, department: Department, source_id: str) -> Source:
    """Return a department's source by its id, or its own register. Raises SOURCE_NOT_FOUND."""
    found = await sources.find(source_id or department.code)
    if found is not None and found.department_code == department.code:
        return found
    if source_id not in {"", department.code}:
        raise SOURCE_NOT_FOUND()
    keeps = department.sector == KEEPER_SECTOR
    return own_source(department.code, department.county_code, department.name, keeps_county=keeps)


async def register_source(registry: Registry, source: Source, etag: str, registered_by: str) -> Source:
    """Store a new source, or a known one's new particulars under its etag, and return it.

    Raises INVALID_REQUEST, ETAG_MISMATCH.
    """
    check_source(source)
    held = await registry.sources.lock(source.source_id)
    if held is not None:
        refuse([] if etag else [FIELD_REQUIRED.at("source.etag")])
    if (held.etag if held else "") != etag:
        raise ETAG_MISMATCH()
    stored = Source(
        source.source_id,
        source.department_code,
        source.county_code,
        source.name,
        source.priority,
        source.issuer_codes,
        source.type_codes,
        source.freshness_seconds,
        held.version + 1 if held else 1,
    )
    await registry.sources.save(stored, registered_by)
    return stored


async def list_sources(registry: Registry, owner: str, after: str, limit: int) -> Sequence[Source]:
    """Return sources in the order of their ids: a department's own, or all for an empty owner."""
    return await registry.sources.page(after, limit, owner)
