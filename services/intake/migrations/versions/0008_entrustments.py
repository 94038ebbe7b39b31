"""Entrustments: who may show or hand out whose licences, in which scope, until when, taken back when.

The agent is a blind index like the subject of a person, so that whoever logs in later finds what was
entrusted to them. Numbers, scope and the signed statement are one ciphertext.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

ENTRUSTMENTS = """
create table entrustment (
  entrustment_id uuid primary key,
  grantor_id text not null references person,
  granted_by text not null references person,
  agent_subject bytea not null,
  content bytea not null,
  valid_from timestamptz not null,
  expires_at timestamptz not null,
  granted_at timestamptz not null,
  recorded_at timestamptz,
  revoked_at timestamptz,
  mac bytea not null,
  check (valid_from < expires_at));
create index entrustment_grantor on entrustment (grantor_id, granted_at, entrustment_id);
create index entrustment_agent on entrustment (agent_subject, granted_at, entrustment_id);
"""


def upgrade() -> None:
    op.execute(ENTRUSTMENTS)


def downgrade() -> None:
    op.execute("drop table entrustment")
