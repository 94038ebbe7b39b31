"""A person may give an e-mail address, encrypted like the phone; none by default."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0004"


def upgrade() -> None:
    op.execute("alter table person add column email bytea")


def downgrade() -> None:
    op.execute("alter table person drop column email")
