"""Grounds of use-codes and uses, entrustments, cases they may be bound to, annotated copies."""

from __future__ import annotations

from alembic import op

from chassis.limits import LIMITS_V1

revision = "0007"
down_revision = "0006"

CASES = """
create table case_part (
  case_id text not null,
  part_id text not null,
  item_code text not null,
  department_code text not null,
  known_at timestamptz not null,
  closed_at timestamptz,
  primary key (case_id, part_id)
);
"""

ENTRUSTMENTS = """
create table entrustment (
  entrustment_id text primary key,
  grantor_key bytea not null,
  agent_key bytea not null,
  type_codes text[] not null,
  item_codes text[] not null,
  powers text[] not null,
  valid_from timestamptz not null,
  expires_at timestamptz not null,
  statement_sha256 bytea not null,
  recorded_at timestamptz not null,
  revoked_at timestamptz,
  revoked_reason text,
  mac bytea not null
);
create index entrustment_grantor on entrustment (grantor_key);
"""

GROUNDS = """
create table use_code_grounds (
  use_code_id uuid primary key references use_code,
  mode text not null check (mode in ('consent', 'statutory_duty', 'entrustment')),
  consent_id text not null,
  legal_article text not null,
  entrustment_id text not null,
  mac bytea not null
);
create index use_code_grounds_entrustment on use_code_grounds (entrustment_id) where entrustment_id <> '';

create table usage_grounds (
  usage_id uuid primary key references usage,
  mode text not null,
  consent_id text not null,
  legal_article text not null,
  entrustment_id text not null,
  licence_version bigint not null,
  mac bytea not null
);
create trigger usage_grounds_append_only before update or delete on usage_grounds
  for each row execute function refuse_change();
"""

COPIES = """
create table annotated_copy (
  copy_id uuid primary key,
  licence_id uuid not null references licence,
  licence_version bigint not null,
  usage_id uuid not null references usage,
  consumer_code text not null,
  consumer_name text not null,
  use_cause text not null,
  case_id text not null,
  made_at timestamptz not null,
  expires_at timestamptz not null,
  copy_sha256 text not null,
  original_sha256 text not null,
  ticket_digest bytea,
  ticket_expires_at timestamptz,
  mac bytea not null
);
create unique index annotated_copy_ticket on annotated_copy (ticket_digest) where ticket_digest is not null;
create index annotated_copy_licence on annotated_copy (licence_id);
create table annotated_copy_fetch (
  copy_id uuid primary key references annotated_copy,
  fetched_at timestamptz not null
);
create trigger annotated_copy_append_only before update or delete on annotated_copy
  for each row execute function refuse_change();
"""


def upgrade() -> None:
    for statement in (*LIMITS_V1, CASES, ENTRUSTMENTS, GROUNDS, COPIES):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "drop table annotated_copy_fetch, annotated_copy, usage_grounds, use_code_grounds, entrustment, case_part,"
        " rate_window"
    )
