"""Representations are found by the licence that proves them, when it ends."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("create index representation_licence on representation (licence_id) where revoked_at is null")


def downgrade() -> None:
    op.execute("drop index representation_licence")
