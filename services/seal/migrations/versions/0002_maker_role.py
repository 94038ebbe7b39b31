"""The maker's own role: it makes seals and signs lists; the signing side can do neither, and it reads no secret."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

# Wrapped keys and documents are wrapped anew when a key is rotated; nothing else of them changes.
# One function, called here and by whoever sets the grants anew (chassis.roles). A database without the
# roles, as tests and developers have it, stays as it is.
OWN_GRANTS = """
create function own_grants() returns void language plpgsql set search_path = pg_catalog, public as $$
begin
  if exists (select from pg_roles where rolname = 'seal_app') then
    revoke insert, update, delete on seal, trust_certificate, signed_list from seal_app;
    grant update (status, since, version) on seal to seal_app;
    revoke update, delete on signer_key, seal_history, seal_use from seal_app;
    grant update (wrapped_key) on signer_key to seal_app;
    revoke delete on sealed_document from seal_app;
    revoke insert, delete on ledger_head from seal_app;
  end if;
  if exists (select from pg_roles where rolname = 'seal_maker') then
    grant select (key_id, owner_code, public_key, proof) on signer_key to seal_maker;
    grant select, insert, update (status, since, version) on seal to seal_maker;
    grant select, insert on seal_history, trust_certificate, signed_list to seal_maker;
    grant insert on event_log to seal_maker;
    grant select on alembic_version to seal_maker;
  end if;
end
$$;
revoke execute on function own_grants() from public;
select own_grants();
"""
BACK = """
do $$
begin
  if exists (select from pg_roles where rolname = 'seal_maker') then
    revoke all on all tables in schema public from seal_maker;
  end if;
  if exists (select from pg_roles where rolname = 'seal_app') then
    grant select, insert, update, delete on all tables in schema public to seal_app;
  end if;
end
$$;
drop function own_grants();
"""


def upgrade() -> None:
    op.execute(OWN_GRANTS)


def downgrade() -> None:
    op.execute(BACK)
