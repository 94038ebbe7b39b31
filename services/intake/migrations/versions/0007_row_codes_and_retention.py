"""Signatures, contact readings and timelines get a MAC; what is deleted in time is found by index.

Rows of the release before have no MAC until `tongban keys rewrap --what rows` gives them theirs, once; from
then on the keyring makes the code refuse a row without. The column itself is NOT NULL in a release whose
predecessor writes it. `retention_run` is the record of what was deleted.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

CODES = "".join(
    f"alter table {table} add column mac bytea;"
    for table in ("contact_read", "part_signature", "case_timeline")
)
RETENTION = """
alter table service_case add column touched_at timestamptz;
create index service_case_draft on service_case (coalesce(touched_at, created_at)) where state = 'draft';
create index login_session_expires on login_session (expires_at);
create index contact_read_at on contact_read (read_at);
create index part_change_changed on part_change (changed_at, department_code, revision);
create index part_change_part on part_change (part_id, department_code, revision);
create table unreferenced_file (file_id text primary key, seen_at timestamptz not null);
create index unreferenced_file_seen on unreferenced_file (seen_at);
create table retention_turn (turn text primary key, taken_at timestamptz not null);
create table retention_run (
  retention_run_id uuid primary key,
  what text not null,
  past timestamptz not null,
  deleted bigint not null check (deleted > 0),
  deleted_at timestamptz not null,
  mac bytea not null);
"""
BACK = """
drop table retention_run, retention_turn, unreferenced_file;
drop index part_change_part, part_change_changed, contact_read_at, login_session_expires, service_case_draft;
alter table service_case drop column touched_at;
"""


def upgrade() -> None:
    op.execute(CODES)
    op.execute(RETENTION)


def downgrade() -> None:
    op.execute(BACK)
    for table in ("contact_read", "part_signature", "case_timeline"):
        op.execute(f"alter table {table} drop column mac")
