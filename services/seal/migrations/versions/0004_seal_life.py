"""The whole life of a seal: applications, kinds, companion credentials, and register rows that the maker signs."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
# One seal in use per owner becomes one per owner, kind and name: wider, so code of 0001 may still serve.
contracts = "0.1.0"
code_floor = "0001"

KINDS = "'official', 'finance', 'contract', 'special', 'enterprise', 'personal'"
APPLICATIONS = f"""
create table seal_application (
  application_id uuid primary key,
  kind text not null check (kind in ({KINDS})),
  owner_code text not null,
  owner_name text not null,
  division text not null,
  name text not null,
  line text not null,
  number text not null,
  picture bytea not null,
  width_mm smallint not null,
  height_mm smallint not null,
  name_index bytea not null,
  particulars bytea,
  letter bytea not null,
  replaces text not null,
  external boolean not null,
  reason text not null check (reason <> ''),
  applied_by text not null check (applied_by <> ''),
  account text not null,
  applied_at timestamptz not null,
  status text not null check (status in ('applied', 'approved', 'rejected', 'withdrawn')),
  decided_by text not null,
  decided_reason text not null,
  decided_account text not null,
  decided_at timestamptz,
  version bigint not null,
  mac bytea not null,
  check (status not in ('approved', 'rejected') or decided_by <> '' and decided_by <> applied_by)
);
create index seal_application_owner on seal_application (owner_code, application_id);
create table application_certificate (
  application_id uuid not null references seal_application,
  suite text not null,
  certificate bytea not null,
  chain bytea not null,
  imported_by text not null check (imported_by <> ''),
  account text not null,
  imported_at timestamptz not null,
  mac bytea not null,
  primary key (application_id, suite)
);
create table maker_letter_key (
  fingerprint text primary key,
  public_key bytea not null,
  signature bytea not null,
  made_at timestamptz not null
);
"""
SEALS = f"""
alter table signer_key add column suite text not null default 'SM2-SM3';
alter table signer_key add column application_id uuid;
alter table signer_key add column request bytea not null default '';
create index signer_key_application on signer_key (application_id, suite);
alter table seal add column kind text not null default 'official' check (kind in ({KINDS}));
alter table seal add column name_index bytea not null default '';
alter table seal add column filing_number text not null default '';
alter table seal add column application_id uuid;
alter table seal add column replaces text not null default '';
alter table seal add column ses_sha256 text not null default '';
alter table seal add column picture_sha256 text not null default '';
alter table seal add column width_mm smallint not null default 0;
alter table seal add column height_mm smallint not null default 0;
alter table seal add column maker_signature bytea;
create unique index seal_of_application on seal (application_id);
create index seal_replaces on seal (replaces) where replaces <> '';
drop index seal_one_in_use;
create unique index seal_in_use_once on seal (owner_code, kind, name, name_index)
  where status in ('made', 'filed', 'active', 'suspended');
create table seal_credential (
  seal_id text not null references seal,
  suite text not null,
  key_id uuid not null unique references signer_key,
  certificate bytea not null,
  maker_signature bytea not null,
  primary key (seal_id, suite)
);
alter table seal_history add column row_code bytea;
alter table seal_history add column maker_signature bytea;
"""
TRIGGERS = """
create function only_first_signature() returns trigger language plpgsql as $$
begin
  if old.maker_signature is null and to_jsonb(old) - 'maker_signature' = to_jsonb(new) - 'maker_signature' then
    return new;
  end if;
  raise exception '% is append-only', tg_table_name;
end
$$;
create or replace trigger seal_history_kept before delete or truncate on seal_history
  for each statement execute function append_only();
create trigger seal_history_unchanged before update on seal_history
  for each row execute function only_first_signature();
create trigger seal_credential_kept before update or delete or truncate on seal_credential
  for each statement execute function append_only();
create trigger application_certificate_kept before update or delete or truncate on application_certificate
  for each statement execute function append_only();
"""
# What own_grants() says beyond what it said before. The maker reads what was approved, never what is encrypted
# for the signing side; the signing side never writes what the maker vouches for.
GRANTS = """
alter function own_grants() rename to own_grants_until_0003;
create function own_grants() returns void language plpgsql set search_path = pg_catalog, public as $$
begin
  perform own_grants_until_0003();
  if exists (select from pg_roles where rolname = 'seal_app') then
    revoke insert, update, delete on seal_credential, maker_letter_key from seal_app;
    revoke update, delete on application_certificate, seal_application from seal_app;
    grant update (status, decided_by, decided_reason, decided_account, decided_at, version, mac, particulars)
      on seal_application to seal_app;
  end if;
  if exists (select from pg_roles where rolname = 'seal_maker') then
    grant select (application_id, kind, owner_code, owner_name, division, name, line, number, picture, width_mm,
      height_mm, name_index, letter, replaces, external, reason, applied_by, account, applied_at, status, decided_by,
      decided_reason, decided_account, decided_at, version) on seal_application to seal_maker;
    grant select (suite, application_id, request) on signer_key to seal_maker;
    grant select on application_certificate to seal_maker;
    grant select, insert on seal_credential, maker_letter_key to seal_maker;
    grant update (ses_sha256, maker_signature) on seal to seal_maker;
    grant update (maker_signature) on seal_history to seal_maker;
  end if;
end
$$;
revoke execute on function own_grants() from public;
select own_grants();
"""
BACK = """
drop function own_grants();
alter function own_grants_until_0003() rename to own_grants;
drop table seal_credential, application_certificate, maker_letter_key, seal_application;
drop trigger seal_history_unchanged on seal_history;
create or replace trigger seal_history_kept before update or delete or truncate on seal_history
  for each statement execute function append_only();
drop function only_first_signature();
alter table seal_history drop column row_code, drop column maker_signature;
alter table seal drop column kind, drop column name_index, drop column filing_number, drop column application_id,
  drop column replaces, drop column ses_sha256, drop column picture_sha256, drop column width_mm, drop column height_mm,
  drop column maker_signature;
create unique index seal_one_in_use on seal (owner_code) where status in ('made', 'filed', 'active', 'suspended');
alter table signer_key drop column suite, drop column application_id, drop column request;
"""


def upgrade() -> None:
    for statement in (APPLICATIONS, SEALS, TRIGGERS, GRANTS):
        op.execute(statement)


def downgrade() -> None:
    op.execute(BACK)
