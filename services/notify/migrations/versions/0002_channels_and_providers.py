"""E-mail as a channel; the send ledger has an entry per provider that an attempt called."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
# Both constraints come back wider than they were: no release needs the narrow ones, and code of 0001 may still serve.
contracts = "0.1.0"
code_floor = "0001"

UP = (
    "alter table message drop constraint message_channel_check",
    "alter table message add constraint message_channel_check check (channel in ('sms', 'inbox', 'email'))",
    "alter table send_attempt drop constraint send_attempt_pkey",
    "alter table send_attempt add primary key (message_id, attempt, provider)",
)
DOWN = (
    "delete from send_attempt where message_id in (select message_id from message where channel = 'email')",
    "delete from message where channel = 'email'",
    (
        "delete from send_attempt a using send_attempt b where a.message_id = b.message_id"
        " and a.attempt = b.attempt and (a.started_at, a.provider) < (b.started_at, b.provider)"
    ),
    "alter table send_attempt drop constraint send_attempt_pkey",
    "alter table send_attempt add primary key (message_id, attempt)",
    "alter table message drop constraint message_channel_check",
    "alter table message add constraint message_channel_check check (channel in ('sms', 'inbox'))",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
