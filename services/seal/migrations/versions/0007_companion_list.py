"""The signed list of PDF certificates among the lists that verifiers get."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
# The check of kinds comes back wider than it was: no release needs the narrow one, and code of 0006 may still serve.
contracts = "0.1.0"
code_floor = "0001"

KINDS = "alter table signed_list add constraint signed_list_kind_check check (kind in ({kinds}))"
WITHOUT = "alter table signed_list drop constraint signed_list_kind_check"
NARROW = "'crl', 'status'"


def upgrade() -> None:
    op.execute(WITHOUT)
    op.execute(KINDS.format(kinds=f"{NARROW}, 'companion'"))


def downgrade() -> None:
    op.execute("delete from signed_list where kind = 'companion'")
    op.execute(WITHOUT)
    op.execute(KINDS.format(kinds=NARROW))
