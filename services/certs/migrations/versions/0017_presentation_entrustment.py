"""Under which entrustment an agent shows a code, so that a scan can ask whether it still stands.

Codes of earlier releases name none; they are over a minute after they were made.
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("alter table presentation add column entrustment_id text")


def downgrade() -> None:
    op.execute("alter table presentation drop column entrustment_id")
