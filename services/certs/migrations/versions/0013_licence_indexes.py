"""Indexes on licences, built while the registry is read and written; the check that 0006 left open.

Every statement stands alone, outside a transaction, and may be run again: a build that was broken off leaves an
invalid index behind, which goes first.
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"

WAIT = "set lock_timeout = 600000"
"""A build waits for the transactions before it and blocks nobody meanwhile, so it may wait as long as it works."""
INDEXES = {
    "licence_fallen": """on licence (updated_at)
  where status in ('expired', 'replaced', 'cancelled', 'revoked', 'forfeited') and holder_key <> ''::bytea""",
    "licence_by_number": "on licence (number_key) where number_key is not null",
    "licence_without_number": "on licence (licence_id) where number_key is null",
    "licence_source_day": "on licence (source_id, type_code, issued_date) where source_id is not null",
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(WAIT)
        for name, definition in INDEXES.items():
            op.execute(f"drop index concurrently if exists {name}")
            op.execute(f"create index concurrently {name} {definition}")
        op.execute("alter table import_answer validate constraint import_answer_outcome_check")
        op.execute("set lock_timeout = default")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(WAIT)
        for name in INDEXES:
            op.execute(f"drop index concurrently if exists {name}")
        op.execute("set lock_timeout = default")
