"""Rows that older releases wrote get their leaves: how far the pass over the registry has come.

The index finds the leaf of a use of no licence at all, which no other index leads to.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

TABLE = """
create table log_adoption (
  only_row boolean primary key default true check (only_row),
  stage text not null check (stage in ('resting', 'licences', 'usages', 'finished')),
  after uuid not null,
  began_at timestamptz not null,
  ended_at timestamptz,
  left_rows bigint not null check (left_rows >= 0),
  adopted bigint not null check (adopted >= 0),
  refused bigint not null check (refused >= 0)
);
insert into log_adoption (stage, after, began_at, left_rows, adopted, refused)
  values ('resting', '00000000-0000-0000-0000-000000000000', clock_timestamp(), 0, 0, 0);
create index log_leaf_unplaced on log_leaf using hash (leaf) where licence_id is null;
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("drop table log_adoption; drop index log_leaf_unplaced;")
