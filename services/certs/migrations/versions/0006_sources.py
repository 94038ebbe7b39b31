"""Where licence data come from: sources, their freshness, conflicts between them; an import's row may cancel.

The wider check of the answers holds for what is written from here on; 0013, which needs no lock for it, looks at
the rows there are, and builds the indexes on licences.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
# The constraint comes back wider than it was: no release needs the narrow one, and code of 0001 may still serve.
contracts = "0.1.0"
code_floor = "0001"

OUTCOMES = """alter table import_answer drop constraint import_answer_outcome_check;
alter table import_answer add constraint import_answer_outcome_check check (outcome in {outcomes}) not valid"""
WIDE = "('created', 'unchanged', 'updated', 'refused', 'conflict_kept', 'cancelled')"
NARROW = "('created', 'unchanged', 'updated', 'refused')"

SOURCES = """
create table source (
  source_id text primary key,
  department_code text not null,
  county_code text not null,
  name text not null,
  priority smallint not null check (priority between 0 and 100),
  issuer_codes text[] not null,
  type_codes text[] not null,
  freshness_seconds integer not null check (freshness_seconds > 0),
  version bigint not null check (version > 0),
  registered_at timestamptz not null,
  registered_by text not null,
  mac bytea not null
);
create index source_department on source (department_code);

create table source_freshness (
  source_id text not null,
  type_code text not null,
  last_act_on date not null,
  last_arrival_at timestamptz not null,
  latest_delay_days integer not null,
  worst_delay_days integer not null,
  within_1_day bigint not null,
  within_7_days bigint not null,
  within_30_days bigint not null,
  later bigint not null,
  primary key (source_id, type_code)
);

create table import_conflict (
  conflict_id uuid primary key,
  licence_id uuid not null references licence,
  source_id text not null,
  held_source_id text not null,
  held_key bytea not null,
  offered_key bytea not null,
  offered bytea not null,
  issuer_code text not null,
  found_at timestamptz not null,
  resolution text check (resolution in ('kept', 'taken')),
  resolved_at timestamptz,
  resolved_by text,
  reason text,
  mac bytea not null
);
create unique index import_conflict_open on import_conflict (licence_id, offered_key) where resolution is null;
create index import_conflict_taken on import_conflict (licence_id, held_source_id, resolved_at desc)
  where resolution = 'taken';
create index import_conflict_source on import_conflict (source_id, found_at desc, conflict_id desc);
create index import_conflict_issuer on import_conflict (issuer_code, found_at desc, conflict_id desc);
"""
LICENCES = """
alter table licence add column source_id text, add column number_key bytea;
alter table licence_past add column source_id text;
"""


def upgrade() -> None:
    for statement in (SOURCES, LICENCES, OUTCOMES.format(outcomes=WIDE)):
        op.execute(statement)


def downgrade() -> None:
    op.execute("delete from import_answer where outcome in ('conflict_kept', 'cancelled')")
    op.execute(OUTCOMES.format(outcomes=NARROW))
    op.execute("drop table import_conflict, source_freshness, source")
    op.execute("alter table licence_past drop column source_id")
    op.execute("alter table licence drop column source_id, drop column number_key")
