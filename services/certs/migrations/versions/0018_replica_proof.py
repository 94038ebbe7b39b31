"""What proves that the states of a replica are in their issuer's log; states from before have no such row."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"

TABLES = """
create table replica_proof (
  licence_id uuid primary key references replica_licence on delete cascade,
  registry_id text not null,
  ordinal bigint not null,
  leaf_index bigint not null,
  size bigint not null,
  root bytea not null,
  unproved_since timestamptz not null,
  ask_at timestamptz not null,
  proved_at timestamptz,
  mac bytea not null
);
create index replica_proof_waiting on replica_proof (registry_id, size) where proved_at is null;
create index replica_proof_asked on replica_proof (registry_id, ask_at) where proved_at is null;

create table replica_root (
  registry_id text not null,
  size bigint not null,
  root bytea not null,
  mac bytea not null,
  primary key (registry_id, size)
);
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("drop table replica_root, replica_proof")
