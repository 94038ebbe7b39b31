"""Federation: what is told to other registries, and the verified replica of what they tell us."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

SENDING = """
create table replica_cursor (
  only_row boolean primary key default true check (only_row),
  leaf_index bigint not null
);
insert into replica_cursor (leaf_index) values (0);

create table replica_share (
  registry_id text not null,
  type_code text not null,
  since timestamptz not null,
  sent_through uuid,
  complete boolean not null default false,
  primary key (registry_id, type_code)
);

create table replica_outgoing (
  registry_id text primary key,
  ordinal bigint not null default 0,
  beat bigint not null default 0,
  beat_size bigint not null default 0,
  beat_at timestamptz
);

create table replica_sent (
  registry_id text not null,
  ordinal bigint not null,
  licence_id uuid not null,
  sequence bigint not null,
  sent_at timestamptz not null,
  primary key (registry_id, ordinal)
);
create unique index replica_sent_licence on replica_sent (registry_id, licence_id, sequence);
"""

REPLICA = """
create table replica_licence (
  licence_id uuid primary key,
  registry_id text not null,
  sequence bigint not null,
  ordinal bigint not null,
  prior_ordinal bigint not null,
  version bigint not null,
  type_code text not null,
  issuer_code text not null,
  county_code text not null,
  status text not null check (status in ('draft', 'pending_seal', 'valid', 'suspended', 'expired', 'replaced',
    'cancelled', 'revoked', 'forfeited')),
  act text not null,
  use_frozen boolean not null,
  valid_until date,
  effective_at timestamptz not null,
  recorded_at timestamptz not null,
  received_at timestamptz not null,
  message_sha256 bytea not null,
  leaf_index bigint not null,
  leaf_hash bytea not null,
  identifier_key bytea not null,
  holder_key bytea not null,
  content bytea,
  mac bytea not null
);
create index replica_licence_holder on replica_licence (holder_key);
create index replica_licence_identifier on replica_licence (identifier_key);
create index replica_licence_registry on replica_licence (registry_id);

create table replica_co_holder (
  licence_id uuid not null references replica_licence on delete cascade,
  holder_key bytea not null,
  primary key (licence_id, holder_key)
);
create index replica_co_holder_key on replica_co_holder (holder_key);

create table replica_state (
  registry_id text primary key,
  through bigint not null,
  heard_at timestamptz,
  heard_beat bigint not null,
  heard_ordinal bigint not null,
  verified_at timestamptz,
  checkpoint text not null,
  size bigint not null,
  root bytea not null,
  frozen_at timestamptz,
  frozen_cause text not null,
  fork_note text not null,
  mac bytea not null
);

create table replica_ordinal (
  registry_id text not null,
  ordinal bigint not null,
  primary key (registry_id, ordinal)
);

create table replica_refusal (
  registry_id text not null,
  licence_id text not null,
  reason text not null,
  message_sha256 bytea not null,
  times bigint not null default 1,
  first_at timestamptz not null,
  last_at timestamptz not null,
  primary key (registry_id, licence_id, reason)
);

create table replica_use (
  usage_id uuid primary key,
  registry_id text not null,
  licence_id uuid not null,
  told bytea not null,
  used_at timestamptz not null,
  delivered_at timestamptz
);
create index replica_use_waiting on replica_use (registry_id, used_at) where delivered_at is null;
"""


def upgrade() -> None:
    op.execute(SENDING)
    op.execute(REPLICA)


def downgrade() -> None:
    op.execute(
        "drop table replica_use, replica_refusal, replica_ordinal, replica_state, replica_co_holder,"
        " replica_licence, replica_sent, replica_outgoing, replica_share, replica_cursor"
    )
