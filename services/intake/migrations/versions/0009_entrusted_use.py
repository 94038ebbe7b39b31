"""Agents act under an entrustment: cases begun for its grantor, and its way to the registry until it is known there.

`try_at` is when it is handed over next while the registry does not know it, `refusal` the reason why the
registry never will. An entrustment is deleted some time after its end, found by its index.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

ENTRUSTED = """
alter table entrustment add column tries integer not null default 0, add column try_at timestamptz,
  add column refusal text not null default '';
create index entrustment_waiting on entrustment (coalesce(try_at, granted_at))
  where recorded_at is null and refusal = '';
create index entrustment_ended on entrustment (least(expires_at, coalesce(revoked_at, expires_at)));
alter table service_case add column entrustment_id uuid;
create index service_case_entrusted on service_case (entrustment_id, created_at, case_id)
  where entrustment_id is not null;
"""
BACK = """
drop index service_case_entrusted, entrustment_ended, entrustment_waiting;
alter table service_case drop column entrustment_id;
alter table entrustment drop column refusal, drop column try_at, drop column tries;
"""


def upgrade() -> None:
    op.execute(ENTRUSTED)


def downgrade() -> None:
    op.execute(BACK)
