"""A representation, who may act for whom, gets a MAC; rows of the release before have none until they are written."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("alter table representation add column mac bytea")


def downgrade() -> None:
    op.execute("alter table representation drop column mac")
