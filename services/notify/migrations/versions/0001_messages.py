"""Messages, the send ledger, and the sandbox provider's own table."""

from __future__ import annotations

from alembic import op

from chassis.messaging_schema import MESSAGING_V1
from chassis.requests import REQUESTS_V1

revision = "0001"
down_revision = None

TABLES = """
create table message (
  message_id uuid primary key,
  source_key text not null,
  channel text not null check (channel in ('sms', 'inbox')),
  category text not null check (category in ('code', 'notice')),
  template_code text not null,
  template_version integer not null,
  language text not null,
  person_id text,
  case_id text,
  state text not null check (state in ('created', 'sending', 'temporary_failure', 'sent', 'delivered',
    'permanent_failure', 'technical_failure', 'expired')),
  attempts integer not null,
  created_at timestamptz not null,
  next_attempt_at timestamptz,
  expires_at timestamptz,
  read_at timestamptz,
  contents bytea,
  unique (source_key, channel)
);
create index message_due on message (next_attempt_at) where next_attempt_at is not null;
create index message_inbox on message (person_id, message_id desc) where channel = 'inbox';
create table send_attempt (
  message_id uuid not null references message,
  attempt integer not null,
  provider text not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  outcome text,
  primary key (message_id, attempt)
);
create table sandbox_sms (
  message_id uuid primary key,
  contents bytea not null,
  phone_index bytea not null,
  taken_at timestamptz not null
);
create index sandbox_sms_newest on sandbox_sms (taken_at desc);
create index sandbox_sms_phone on sandbox_sms (phone_index, taken_at desc);
"""


def upgrade() -> None:
    for statement in (*MESSAGING_V1, *REQUESTS_V1, TABLES):
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop table sandbox_sms, send_attempt, message")
