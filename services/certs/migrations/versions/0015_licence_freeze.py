"""Which licences the freezes of a dispute reach: the disputed one, its copies and versions.

No release has written a dispute before this table was there, so there are no rows to give it.
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"

TABLE = """
create table licence_freeze (
  licence_id uuid not null references licence,
  dispute_id uuid not null references dispute,
  reached_at timestamptz not null,
  mac bytea not null,
  primary key (licence_id, dispute_id)
);
create index licence_freeze_dispute on licence_freeze (dispute_id);
create trigger licence_freeze_append_only before update or delete on licence_freeze
  for each row execute function refuse_change();
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("drop table licence_freeze")
