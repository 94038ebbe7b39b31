"""The PDF companions of licences: what became of each, and where its files are.

A row is there from the issue on; a licence of before, or of a process of an older release, gets its row when its
PDF is asked for.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"

TABLE = """
create table licence_pdf (
  licence_id uuid primary key references licence,
  state text not null check (state in ('waiting', 'signed', 'sealed', 'refused')),
  attempts bigint not null check (attempts >= 0),
  unsealed_sha256 text not null,
  signature_id text not null,
  announced_sha256 text not null,
  sealed_sha256 text not null,
  refusal text not null,
  changed_at timestamptz not null,
  due_at timestamptz,
  mac bytea not null
);
create index licence_pdf_due on licence_pdf (due_at) where due_at is not null;
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("drop table licence_pdf")
