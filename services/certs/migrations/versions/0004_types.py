"""Licence types as versioned data; a licence says by which version of its type it was stored.

Rows of the release before say nothing, which means version 1: it is the first that is ever published.
``document`` is JSON kept as text: its code covers it character for character, and ``jsonb`` would rewrite it.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

TYPES = """
create table licence_type (
  type_code text not null,
  version integer not null check (version > 0),
  document text not null check (json_typeof(document::json) = 'object'),
  published_at timestamptz not null,
  published_by text not null,
  source text not null,
  mac bytea not null,
  primary key (type_code, version)
);
create trigger licence_type_append_only before update or delete on licence_type
  for each row execute function refuse_change();
"""
LICENCES = """
alter table licence add column type_version integer;
alter table licence_past add column type_version integer;
"""


def upgrade() -> None:
    op.execute(TYPES)
    op.execute(LICENCES)


def downgrade() -> None:
    op.execute("alter table licence_past drop column type_version")
    op.execute("alter table licence drop column type_version")
    op.execute("drop table licence_type")
