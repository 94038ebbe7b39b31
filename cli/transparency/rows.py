"""What the rows of the registry and the leaves of its log must say of each other; one query for each kind.

Each returns what is wrong: what the row is called, and the place of the leaf, null where there is none. The queries
see ``line``: every leaf, those that wait in the queue too, as they were written with their rows.
"""

from __future__ import annotations

WAITING = 9 * 10**18
"""Places from here on are those of the queue."""
SAID = """
with line as (
  select leaf_index as place, licence_id, kind, convert_from(leaf, 'UTF8')::jsonb -> 'facts' as facts from log_leaf
  union all
  select 9000000000000000000 + queue_id, licence_id, kind, convert_from(leaf, 'UTF8')::jsonb -> 'facts'
  from log_queue)
"""


def _newest(kind: str, key: str) -> str:
    """Return the beginning of a query that sees, as ``said``, the newest leaf of a kind about each row."""
    return f""", said as (
  select distinct on (facts ->> '{key}') facts ->> '{key}' as id, facts, place from line where kind = '{kind}'
  order by facts ->> '{key}', place desc)
"""  # noqa: S608 - constants


_CHANGES = "('seal', 'suspend', 'restore', 'expire', 'replace', 'cancel', 'revoke', 'forfeit')"
"""Acts that are lines of the history."""
_MOMENT = """to_char({} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
"""A time as leaves write it."""
ROWS = {
    "usage": """
select u.usage_id::text as row, l.place
from usage u left join line l on l.kind = 'usage' and (l.facts ->> 'usage_id')::uuid = u.usage_id
where u.used_at >= $1 and (l.place is null or l.facts ->> 'mac' <> encode(u.mac, 'hex'))
""",
    "status change": f"""
select c.licence_id || ' version ' || c.version as row, min(l.place) as place
from licence_status_change c
left join line l on l.kind in ('licence', 'status_change') and l.licence_id = c.licence_id
  and (l.facts ->> 'version')::bigint = c.version and (l.kind = 'status_change' or l.facts ->> 'act' <> 'adopt')
where c.changed_at >= $1
group by c.licence_id, c.version, c.status, c.act, c.effective_at
having not coalesce(bool_or(
  l.facts ->> 'status' = c.status and coalesce(l.facts ->> 'adopted', l.facts ->> 'act') = c.act
  and coalesce(l.facts ->> 'effective_at', {_MOMENT.format("c.effective_at")})
    = {_MOMENT.format("c.effective_at")}), false)
""",  # noqa: S608 - constants
    "use-code": """
select u.use_code_id::text as row, l.place
from use_code u
left join line l on l.kind = 'use_code' and (l.facts ->> 'use_code_id')::uuid = u.use_code_id
  and l.facts ->> 'act' in ('issue', 'adopt')
where u.issued_at >= $1 and l.place is null
""",
    "use-code revocation": """, revoked as (
  select distinct on (facts ->> 'use_code_id') (facts ->> 'use_code_id')::uuid as use_code_id, place
  from line where kind = 'use_code' and facts ->> 'act' = 'revoke' order by facts ->> 'use_code_id', place desc)
select u.use_code_id::text as row, r.place
from use_code u left join revoked r using (use_code_id)
where (r.place is not null and u.revoked_at is null) or (r.place is null and u.revoked_at >= $1)
""",
    "licence": """, newest as (
  select distinct on (licence_id) licence_id, place, facts from line where kind = 'licence'
  order by licence_id, place desc)
select r.licence_id::text as row, l.place
from licence r left join newest l using (licence_id)
where ((r.created_at >= $1 or (select stage = 'finished' from log_adoption)) and l.place is null)
  or l.facts ->> 'status' <> r.status
""",
    "order": _newest("order", "order_id")
    + """
select o.order_id::text as row, s.place
from licence_order o left join said s on s.id = o.order_id::text
where o.ordered_at >= $1
  and (s.place is null or s.facts ->> 'state' <> o.state or s.facts ->> 'mac' <> encode(o.mac, 'hex'))
""",
    "dispute": _newest("dispute", "dispute_id")
    + """
select d.dispute_id::text as row, s.place
from dispute d left join said s on s.id = d.dispute_id::text
where d.opened_at >= $1 and (s.place is null or s.facts ->> 'state' <> d.state
  or s.facts ->> 'consumer' <> d.consumer_code or (s.facts ->> 'version')::bigint <> d.version)
""",
    "dispute step": """
select t.dispute_id || ' version ' || t.version as row, l.place
from dispute_step t
left join line l on l.kind = 'dispute' and (l.facts ->> 'dispute_id')::uuid = t.dispute_id
  and (l.facts ->> 'version')::bigint = t.version and l.facts ->> 'act' = t.act
where t.at >= $1 and l.place is null
""",
    "reliance": """
select r.usage_id::text as row, l.place
from reliance r join line l on l.kind = 'usage' and (l.facts ->> 'usage_id')::uuid = r.usage_id
where r.used_at >= $1 and (l.facts ->> 'relied' is null
  or l.licence_id <> r.licence_id or l.facts ->> 'consumer' <> r.consumer_code)
""",
    "flag": _newest("reliance", "flag_id")
    + """
select f.flag_id::text as row, s.place
from reliance_flag f left join said s on s.id = f.flag_id::text
where f.flagged_at >= $1 and (s.place is null or (s.facts ->> 'version')::bigint <> f.version
  or s.facts ->> 'act' <> coalesce(f.outcome, 'flag'))
""",
    "entrustment": _newest("entrustment", "entrustment")
    + """
select encode(sha256(convert_to(e.entrustment_id, 'UTF8')), 'hex') as row, s.place
from entrustment e left join said s on s.id = encode(sha256(convert_to(e.entrustment_id, 'UTF8')), 'hex')
where e.recorded_at >= $1 and (s.place is null or s.facts ->> 'mac' <> encode(e.mac, 'hex'))
""",
    "licence type": """
select t.type_code || ' version ' || t.version as row, l.place
from licence_type t
left join line l on l.kind = 'licence_type' and l.facts ->> 'type_code' = t.type_code
  and (l.facts ->> 'version')::integer = t.version
where t.published_at >= $1
  and (l.place is null or l.facts ->> 'document' <> encode(sha256(convert_to(t.document::text, 'UTF8')), 'hex'))
""",
}
"""By what a row is called: rows of the registry that the log says nothing of, or something else."""
_GONE = {
    "usage": ("usage", "usage_id", "usage", "u.usage_id = (l.facts ->> 'usage_id')::uuid", ""),
    "use-code": (
        "use_code",
        "use_code_id",
        "use_code",
        "u.use_code_id = (l.facts ->> 'use_code_id')::uuid",
        "",
    ),
    "order": ("order", "order_id", "licence_order", "u.order_id = (l.facts ->> 'order_id')::uuid", ""),
    "dispute": ("dispute", "dispute_id", "dispute", "u.dispute_id = (l.facts ->> 'dispute_id')::uuid", ""),
    "freeze": (
        "dispute",
        "dispute_id",
        "licence_freeze",
        "u.dispute_id = (l.facts ->> 'dispute_id')::uuid and u.licence_id = l.licence_id",
        "l.facts ->> 'act' in ('freeze', 'reach')",
    ),
    "reliance": (
        "usage",
        "usage_id",
        "reliance",
        "u.usage_id = (l.facts ->> 'usage_id')::uuid",
        "l.facts ->> 'relied' is not null and l.facts ->> 'act' is null",
    ),
    "flag": ("reliance", "flag_id", "reliance_flag", "u.flag_id = (l.facts ->> 'flag_id')::uuid", ""),
    "entrustment": (
        "entrustment",
        "entrustment",
        "entrustment",
        "encode(sha256(convert_to(u.entrustment_id, 'UTF8')), 'hex') = l.facts ->> 'entrustment'",
        "",
    ),
}
"""Kind of the leaf, the fact that names the row, its table, what makes it the same, which leaves only."""


def _gone(kind: str, fact: str, table: str, same: str, only: str) -> str:
    """Return the query for leaves of a kind whose row is gone."""
    return f"""
select l.facts ->> '{fact}' as row, min(l.place) as place from line l
where l.kind = '{kind}' and {only or "true"} and not exists (select from {table} u where {same})
group by l.facts ->> '{fact}'
"""  # noqa: S608 - constants


LEAVES = {
    **{name: _gone(*said) for name, said in _GONE.items()},
    "licence": """
select l.licence_id::text as row, min(l.place) as place from line l
left join licence r on r.licence_id = l.licence_id
where l.kind = 'licence' and r.licence_id is null group by l.licence_id
""",
    "status change": f"""
select l.licence_id || ' version ' || (l.facts ->> 'version') as row, l.place from line l
left join licence_status_change c
  on c.licence_id = l.licence_id and c.version = (l.facts ->> 'version')::bigint
where c.licence_id is null
  and (l.kind = 'status_change' or (l.kind = 'licence' and l.facts ->> 'act' in {_CHANGES}))
""",  # noqa: S608 - constants
    "earlier content": """
select l.licence_id || ' before version ' || (l.facts ->> 'version') as row, l.place from line l
where l.kind = 'licence' and l.facts ->> 'act' = 'import' and (l.facts ->> 'version')::bigint > 1
  and not exists (select from licence_erasure e where e.licence_id = l.licence_id)
  and not exists (select from licence_past p where p.licence_id = l.licence_id
    and (l.facts ->> 'version')::bigint - p.version between 1 and 2)
""",
    "dispute step": """
select (l.facts ->> 'dispute_id') || ' version ' || (l.facts ->> 'version') as row, min(l.place) as place
from line l
left join dispute_step t on t.dispute_id = (l.facts ->> 'dispute_id')::uuid
  and t.version = (l.facts ->> 'version')::bigint and t.act = l.facts ->> 'act'
where l.kind = 'dispute' and l.facts ->> 'act' <> 'reach' and t.dispute_id is null
group by l.facts ->> 'dispute_id', l.facts ->> 'version'
""",
    "licence type": """
select (l.facts ->> 'type_code') || ' version ' || (l.facts ->> 'version') as row, l.place from line l
left join licence_type t on t.type_code = l.facts ->> 'type_code'
  and t.version = (l.facts ->> 'version')::integer
where l.kind = 'licence_type' and t.type_code is null
""",
    "document": """
select l.licence_id::text as row, min(l.place) as place from line l
where l.kind = 'document'
  and not exists (select from licence_erasure e where e.licence_id = l.licence_id)
  and not exists (select from licence_pdf p where p.licence_id = l.licence_id)
group by l.licence_id
""",
}
"""Leaves whose rows are gone: no deletion takes these rows, it only empties them."""
