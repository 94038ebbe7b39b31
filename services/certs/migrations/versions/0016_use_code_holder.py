"""Which of several holders agreed to a use-code: the others stay masked to its consumer.

Codes of earlier releases have no such row; to their consumers every holder of a shared licence is masked.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"

TABLE = """
create table use_code_holder (
  use_code_id uuid primary key references use_code on delete cascade,
  holder_key bytea not null,
  mac bytea not null
);
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("drop table use_code_holder")
