"""The life of a licence: orders, what a licence follows or copies, annual inspections, erasures.

An erased licence's earlier contents may be deleted: only its, and only after its row in `licence_erasure`.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

LIFE = """
create table licence_order (
  order_id uuid primary key,
  licence_id uuid not null references licence,
  act text not null check (act in ('suspend', 'restore', 'cancel', 'revoke', 'forfeit', 'change', 'renew', 'copy',
    'inspect')),
  reason text not null,
  basis_document text not null,
  operator text not null,
  second_person text not null,
  effective_at timestamptz not null,
  ordered_at timestamptz not null,
  ordered_by text not null,
  state text not null check (state in ('waiting', 'done', 'lapsed', 'withdrawn')),
  settled_at timestamptz,
  settled_version bigint,
  cause text not null,
  result_id uuid,
  mac bytea not null
);
create index licence_order_licence on licence_order (licence_id, ordered_at desc, order_id desc);
create index licence_order_due on licence_order (effective_at)
  where state = 'waiting' and act in ('suspend', 'restore', 'cancel', 'revoke', 'forfeit');

create table licence_link (
  licence_id uuid primary key references licence,
  parent_id uuid not null references licence,
  kind text not null check (kind in ('change', 'renew', 'copy')),
  copy_number smallint not null,
  order_id uuid not null,
  state text not null check (state in ('waiting', 'in_force', 'called_off')),
  linked_at timestamptz not null,
  settled_at timestamptz,
  mac bytea not null
);
create unique index licence_link_successor on licence_link (parent_id) where kind <> 'copy' and state <> 'called_off';
create unique index licence_link_copy on licence_link (parent_id, copy_number) where kind = 'copy';

create table licence_inspection (
  lineage_id uuid not null,
  cycle integer not null check (cycle > 0),
  licence_id uuid not null references licence,
  type_code text not null,
  issuer_code text not null,
  opens_at timestamptz not null,
  due_by timestamptz not null,
  state text not null check (state in ('scheduled', 'due', 'overdue', 'passed', 'failed', 'void')),
  settled_at timestamptz,
  order_id uuid,
  mac bytea not null,
  primary key (lineage_id, cycle)
);
create index licence_inspection_opens on licence_inspection (opens_at) where state = 'scheduled';
create index licence_inspection_ends on licence_inspection (due_by) where state in ('due', 'failed');
create index licence_inspection_issuer on licence_inspection (issuer_code, due_by, lineage_id)
  where state in ('due', 'overdue', 'failed');

create table licence_erasure (
  licence_id uuid primary key references licence,
  fell_at timestamptz not null,
  keep_years integer not null,
  erased_at timestamptz not null,
  documents text[] not null,
  documents_removed_at timestamptz,
  mac bytea not null
);
create index licence_erasure_documents on licence_erasure (erased_at) where documents_removed_at is null;

create table licence_walk (
  walk text primary key,
  after_id uuid not null,
  walked_at timestamptz not null
);
"""
PAST = """
create or replace function refuse_change_but_rewrap() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and to_jsonb(old) - 'subject' - 'face' = to_jsonb(new) - 'subject' - 'face'
      and is_rewrap(old.subject, new.subject) and is_rewrap(old.face, new.face) then
    return new;
  end if;
  if tg_op = 'DELETE' and exists (select from licence_erasure e where e.licence_id = old.licence_id) then
    return old;
  end if;
  raise exception 'table % is append-only', tg_table_name;
end $$;
"""
PAST_BEFORE = """
create or replace function refuse_change_but_rewrap() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and to_jsonb(old) - 'subject' - 'face' = to_jsonb(new) - 'subject' - 'face'
      and is_rewrap(old.subject, new.subject) and is_rewrap(old.face, new.face) then
    return new;
  end if;
  raise exception 'table % is append-only', tg_table_name;
end $$;
"""


def upgrade() -> None:
    for statement in (LIFE, PAST):
        op.execute(statement)


def downgrade() -> None:
    op.execute(PAST_BEFORE)
    op.execute("drop table licence_walk, licence_erasure, licence_inspection, licence_link, licence_order")
