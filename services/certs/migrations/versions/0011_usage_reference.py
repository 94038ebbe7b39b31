"""A line of the usage record no longer locks the licence it names.

The foreign key had every look-up lock, and so rewrite, the rows it found: at five million licences nearly each
one on a page of its own, which the write-ahead log then takes whole. The line is written right after the licence
was read, and no role of the service may delete one; what the line says is kept by its integrity code and the
transparency log.
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
# No release relies on the check: licences are not deleted. Code of 0001 may still serve.
contracts = "0.1.0"
code_floor = "0001"


def upgrade() -> None:
    op.execute("alter table usage drop constraint usage_licence_id_fkey")


def downgrade() -> None:
    op.execute(
        "alter table usage add constraint usage_licence_id_fkey foreign key (licence_id) references licence"
    )
