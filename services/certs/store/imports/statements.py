"""The statements of an import, and a licence as a row of its table."""

from __future__ import annotations

from datetime import datetime

from services.certs.usecases.import_ports import Write

COLUMNS = (
    *("licence_id", "lineage_id", "identifier", "identifier_key", "type_code", "type_name", "issuer_code"),
    *(
        "issuer_name",
        "county_code",
        "holder_key",
        "subject",
        "face",
        "content_key",
        "issued_date",
        "valid_from",
    ),
    *("valid_until", "status", "trust_grade", "quality_flags", "version", "serial_version", "type_version"),
    *("number_key", "source_id"),
)
FIXED = ("origin", "case_id", "part_id", "item_code", "created_at", "updated_at")
"""What every imported row begins with alike, after `COLUMNS`."""
_CHANGEABLE = tuple(name for name in COLUMNS if name not in {"licence_id", "lineage_id", "identifier_key"})
_TYPES = {
    "licence_id": "uuid",
    "lineage_id": "uuid",
    "quality_flags": "jsonb",
    "version": "bigint",
    "serial_version": "smallint",
    "type_version": "integer",
    **dict.fromkeys(("issued_date", "valid_from", "valid_until"), "date"),
    **dict.fromkeys(
        ("identifier_key", "holder_key", "subject", "face", "content_key", "number_key"), "bytea"
    ),
}
_ARRAYS = ", ".join(f"${at}::{_TYPES.get(name, 'text')}[]" for at, name in enumerate(COLUMNS, 2))
_FLAGS = "array(select jsonb_array_elements_text(u.quality_flags))"
_SETS = ", ".join(f"{name} = {_FLAGS if name == 'quality_flags' else f'u.{name}'}" for name in _CHANGEABLE)
REPLACE = f"""
update licence l set {_SETS}, updated_at = $1
from unnest({_ARRAYS}) as u ({", ".join(COLUMNS)}) where l.licence_id = u.licence_id
"""  # noqa: S608 - constants
KEEP_PAST = """
insert into licence_past (licence_id, version, type_name, issuer_name, subject, face, issued_date, valid_from,
  valid_until, status, quality_flags, replaced_at, type_version, source_id)
select licence_id, version, type_name, issuer_name, subject, face, issued_date, valid_from, valid_until,
  status, quality_flags, $2, type_version, source_id from licence where licence_id = any($1)
"""
SEVERAL_VERSIONS = """
select a.lineage_id from (select distinct unnest($1::uuid[]) as lineage_id) a
cross join lateral (select 1 from licence l where l.lineage_id = a.lineage_id offset 1 limit 1) further
"""
"""Lineages with more than one licence: one look at the index for each, whatever the planner knows of the table."""
REPLACE_OLDER = """
with newest as (
  select lineage_id, county_code, max(serial_version) as serial_version from licence
  where lineage_id = any($1::uuid[]) and not (origin = 'made' and status in ('draft', 'pending_seal', 'cancelled'))
  group by lineage_id, county_code having count(*) > 1),
older as (
  select l.licence_id, l.status as previous from licence l join newest n using (lineage_id, county_code)
  where l.serial_version < n.serial_version and l.status in ('valid', 'suspended', 'expired')
    and l.origin = 'imported'
  order by l.licence_id for update of l)
update licence l set status = 'replaced', version = l.version + 1, updated_at = $2
from older where l.licence_id = older.licence_id
returning l.licence_id, l.identifier, older.previous, l.version
"""
"""A version made here counts once it is in force; until then it takes nobody's place."""
LOCK_LINES = """
select lineage_id from licence where lineage_id = any($1::uuid[]) order by licence_id for update
"""
"""By id, as everybody locks several licences: a predecessor or original is older than what hangs on it."""
LOCK_LINES_AND_HELD = """
select lineage_id from licence where lineage_id = any($1::uuid[]) or identifier_key = any($2::bytea[])
order by licence_id for update
"""
LINES = """
select l.lineage_id, l.serial_version, l.county_code, l.status, l.origin = 'made' and (
    exists (select from licence_status_change c where c.licence_id = l.licence_id and c.act = 'seal')
    or l.status in ('draft', 'pending_seal')
      and not exists (select from licence_link k where k.licence_id = l.licence_id)) as is_issued_here
from licence l where l.lineage_id = any($1::uuid[])
"""
"""Read after the versions are locked, so that one that came in meanwhile is seen."""
HOLD = """
select set_config('plan_cache_mode', 'force_custom_plan', true), pg_advisory_xact_lock(key)
from (select distinct unnest($1::bigint[]) as key order by 1) as keys
"""
"""A plan kept from when the tables were small would read them whole for every chunk of a first import."""
ANSWERED = """
select row_number, content_key, outcome, licence_id, quality_flags, problems from import_answer
where caller = $1 and batch_id = $2 and row_number = any($3::integer[])
"""
LOCK_HELD = """
select licence_id, identifier, identifier_key, origin, status, county_code, issuer_code, type_code, version,
  content_key, source_id from licence
where identifier_key = any($1::bytea[]) order by licence_id for update
"""
NUMBERED = """
select l.number_key, l.type_code, l.issuer_code, l.identifier_key, l.lineage_id, l.holder_key,
  array(select c.holder_key from licence_co_holder c where c.licence_id = l.licence_id) as further
from unnest($1::bytea[]) as k (number_key)
cross join lateral (select * from licence n where n.number_key = k.number_key limit 100) l
"""
SAVE_STATUS = """
update licence l set status = u.status, version = u.version, updated_at = $1
from unnest($2::uuid[], $3::text[], $4::bigint[]) as u (licence_id, status, version)
where l.licence_id = u.licence_id
"""
ADD_CONFLICT = """
insert into import_conflict (conflict_id, licence_id, source_id, held_source_id, held_key, offered_key,
  issuer_code, found_at, resolution, resolved_at, resolved_by, reason, mac, offered)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict (licence_id, offered_key) where resolution is null do nothing
"""
ANSWER_COLUMNS = (
    *("caller", "batch_id", "row_number", "content_key", "outcome", "licence_id", "quality_flags"),
    *("problems", "answered_at"),
)


def row_of(write: Write, source_id: str) -> tuple[object, ...]:
    """Return a licence in the order of `COLUMNS`; its id is a text, which asyncpg takes as well."""
    stored = write.stored
    return (
        write.licence_id,
        stored.lineage_id,
        stored.identifier,
        stored.identifier_key,
        stored.type_code,
        stored.type_name,
        stored.issuer_code,
        stored.issuer_name,
        stored.county_code,
        stored.holder_keys[0],
        stored.subject,
        stored.face,
        write.row.content_key,
        stored.issued_date,
        stored.valid_from,
        stored.valid_until,
        write.status,
        stored.trust_grade,
        write.row.flags,
        write.version,
        stored.serial_version,
        stored.type_version,
        stored.number_key,
        source_id,
    )


def fixed(now: datetime) -> tuple[object, ...]:
    """Return the values of `FIXED`."""
    return "imported", "", "", "", now, now
