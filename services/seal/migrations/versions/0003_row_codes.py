"""The ledger's rows get a MAC; a row that only gains its MAC passes the append-only trigger, nothing else does.

Rows of the release before have none until `tongban keys rewrap --what rows` gives them theirs, once; from
then on the keyring makes the code refuse a row without. The column itself is NOT NULL in a release whose
predecessor writes it.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

TRIGGERS = """
create function only_first_mac() returns trigger language plpgsql as $$
begin
  if old.mac is null and to_jsonb(old) - 'mac' = to_jsonb(new) - 'mac' then
    return new;
  end if;
  raise exception '% is append-only', tg_table_name;
end
$$;
create or replace trigger seal_use_kept before delete or truncate on seal_use
  for each statement execute function append_only();
create trigger seal_use_unchanged before update on seal_use
  for each row execute function only_first_mac();
"""
GRANTS = """
create or replace function own_grants() returns void language plpgsql set search_path = pg_catalog, public as $$
begin
  if exists (select from pg_roles where rolname = 'seal_app') then
    revoke insert, update, delete on seal, trust_certificate, signed_list from seal_app;
    grant update (status, since, version) on seal to seal_app;
    revoke update, delete on signer_key, seal_history, seal_use from seal_app;
    grant update (wrapped_key) on signer_key to seal_app;
{more}    revoke delete on sealed_document from seal_app;
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
select own_grants();
"""
BACK = """
drop trigger seal_use_unchanged on seal_use;
create or replace trigger seal_use_kept before update or delete or truncate on seal_use
  for each statement execute function append_only();
drop function only_first_mac();
alter table seal_use drop column mac;
"""


def upgrade() -> None:
    op.execute("alter table seal_use add column mac bytea")
    op.execute(TRIGGERS)
    op.execute(GRANTS.format(more="    grant update (mac) on seal_use to seal_app;\n"))


def downgrade() -> None:
    op.execute(BACK)
    op.execute(GRANTS.format(more=""))
