"""Time-stamped points of the ledger; time-stamping authorities among the certificates that verifiers get."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
# The check of roles comes back wider than it was: no release needs the narrow one, and code of 0003 may still serve.
contracts = "0.1.0"
code_floor = "0001"

TABLES = """
create table ledger_checkpoint (
  number bigint primary key,
  sequence bigint not null unique,
  row_hash bytea not null,
  previous_hash bytea not null,
  token bytea not null,
  stamped_at timestamptz not null,
  mac bytea not null
);
create trigger ledger_checkpoint_kept before update or delete or truncate on ledger_checkpoint
  for each statement execute function append_only();
"""
ROLES = "alter table trust_certificate add constraint trust_certificate_role_check check (role in ({roles}))"
WITHOUT = "alter table trust_certificate drop constraint trust_certificate_role_check"
NARROW = "'anchor', 'authority', 'maker', 'status'"
# What own_grants() says beyond what it said before: checkpoints are written once.
GRANTS = """
create function own_grants() returns void language plpgsql set search_path = pg_catalog, public as $$
begin
  perform own_grants_until_0005();
  if exists (select from pg_roles where rolname = 'seal_app') then
    revoke update, delete on ledger_checkpoint from seal_app;
  end if;
end
$$;
revoke execute on function own_grants() from public;
select own_grants();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(WITHOUT)
    op.execute(ROLES.format(roles=f"{NARROW}, 'tsa', 'tsa_anchor'"))
    op.execute("alter function own_grants() rename to own_grants_until_0005")
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute("drop function own_grants()")
    op.execute("alter function own_grants_until_0005() rename to own_grants")
    op.execute("drop table ledger_checkpoint")
    op.execute("delete from trust_certificate where role in ('tsa', 'tsa_anchor')")
    op.execute(WITHOUT)
    op.execute(ROLES.format(roles=NARROW))
