"""Reliance on licences, their falls and what departments answered; disputes of holders and freezes of use."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

RELIANCE = """
create table reliance (
  usage_id uuid primary key references usage,
  licence_id uuid not null references licence,
  licence_version bigint not null,
  content_digest bytea,
  consumer_code text not null,
  consumer_name text not null,
  case_id text not null,
  item_code text not null,
  used_at timestamptz not null
);
create index reliance_licence on reliance (licence_id, licence_version);
create trigger reliance_append_only before update or delete on reliance
  for each row execute function refuse_change();

create table licence_fall (
  licence_id uuid not null references licence,
  version bigint not null,
  cause text not null check (cause in ('suspended', 'cancelled', 'revoked', 'forfeited', 'replaced', 'corrected')),
  effective_at timestamptz not null,
  fell_at timestamptz not null,
  spread_at timestamptz,
  primary key (licence_id, version)
);
create index licence_fall_waiting on licence_fall (fell_at) where spread_at is null;

create table reliance_flag (
  flag_id uuid primary key,
  licence_id uuid not null,
  fall_version bigint not null,
  cause text not null,
  effective_at timestamptz not null,
  fell_at timestamptz not null,
  consumer_code text not null,
  case_id text not null,
  item_codes text[] not null,
  relied_version bigint not null,
  last_used_at timestamptz not null,
  flagged_at timestamptz not null,
  outcome text check (outcome in ('reopened', 'kept', 'no_effect')),
  reason text not null,
  operator text not null,
  acknowledged_at timestamptz,
  version bigint not null check (version > 0),
  mac bytea not null,
  foreign key (licence_id, fall_version) references licence_fall (licence_id, version),
  constraint reliance_flag_once unique (licence_id, fall_version, consumer_code, case_id)
);
create index reliance_flag_consumer on reliance_flag (consumer_code, flagged_at desc, flag_id desc);
create index reliance_flag_open on reliance_flag (flagged_at) where outcome is null;
create trigger reliance_flag_kept before delete on reliance_flag for each row execute function refuse_change();
"""

DISPUTE = """
create table dispute (
  dispute_id uuid primary key,
  licence_id uuid not null references licence,
  kind text not null check (kind in ('content', 'use')),
  usage_id uuid references usage,
  consumer_code text not null,
  issuer_code text not null,
  holder_key bytea not null,
  statement bytea not null,
  state text not null check (state in ('opened', 'checking', 'upheld', 'rejected', 'withdrawn')),
  opened_at timestamptz not null,
  due_on date,
  frozen_at timestamptz,
  settled_at timestamptz,
  reason text not null,
  legal_basis text not null,
  version bigint not null check (version > 0),
  mac bytea not null,
  check ((kind = 'use') = (usage_id is not null))
);
create unique index dispute_open on dispute (licence_id, kind, holder_key, coalesce(usage_id, licence_id))
  where state in ('opened', 'checking');
create index dispute_frozen on dispute (licence_id) where frozen_at is not null;
create index dispute_licence on dispute (licence_id);
create index dispute_issuer on dispute (issuer_code, opened_at desc, dispute_id desc);
create index dispute_holder on dispute (holder_key, opened_at desc, dispute_id desc);
create trigger dispute_kept before delete on dispute for each row execute function refuse_change();

create table dispute_step (
  dispute_id uuid not null references dispute,
  version bigint not null,
  act text not null check (act in ('open', 'start', 'uphold', 'reject', 'withdraw', 'freeze', 'unfreeze')),
  at timestamptz not null,
  done_by text not null,
  operator text not null,
  reason text not null,
  legal_basis text not null,
  mac bytea not null,
  primary key (dispute_id, version)
);
create trigger dispute_step_append_only before update or delete on dispute_step
  for each row execute function refuse_change();
"""


def upgrade() -> None:
    op.execute(RELIANCE)
    op.execute(DISPUTE)


def downgrade() -> None:
    op.execute("drop table dispute_step, dispute, reliance_flag, licence_fall, reliance")
