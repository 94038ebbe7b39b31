"""Who may use which seal, with whose approval and how often; and what the ledger says besides of each use.

The second form of a ledger row has its further values beside it, in `seal_use_detail`: the release before
still reads, and proves, what it knows. A document that is no licence has no `licence_id`.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
# Only the function of the grants gets another name, and a column may be empty: code of 0001 may still serve.
contracts = "0.1.0"
code_floor = "0001"

DECIDED = "operator text not null check (operator <> ''), reason text not null check (reason <> ''), account text not null"
TABLES = f"""
alter table seal_use alter column licence_id drop not null;
create index seal_use_sealed on seal_use (seal_id, sequence desc) where outcome = 'sealed';
create index seal_use_document on seal_use (unsealed_sha256, seal_id) where outcome = 'sealed';
create table seal_use_detail (
  sequence bigint primary key references seal_use,
  document_type text not null,
  service_item text not null,
  account text not null,
  reviewer text not null,
  request_id text not null,
  item_id text not null,
  mode text not null,
  format text not null,
  document_count integer not null,
  grant_id text not null,
  approvers integer not null,
  day_uses integer not null,
  request_digest text not null,
  mac bytea not null
);
create table seal_grant (
  grant_id uuid primary key,
  seal_id text not null references seal,
  grantee_kind text not null,
  grantee text not null,
  document_type text not null,
  service_item text not null,
  case_id text not null,
  valid_from timestamptz not null,
  valid_until timestamptz check (valid_until > valid_from),
  granted_at timestamptz not null,
  second_person text not null check (second_person <> ''),
  {DECIDED},
  mac bytea not null
);
create index seal_grant_seal on seal_grant (seal_id, granted_at);
create table seal_grant_withdrawal (
  grant_id uuid primary key,
  seal_id text not null references seal,
  withdrawn_at timestamptz not null,
  {DECIDED},
  mac bytea not null
);
create index seal_grant_withdrawal_seal on seal_grant_withdrawal (seal_id);
create table seal_rule (
  seal_id text not null references seal,
  version bigint not null check (version > 0),
  quorum integer not null check (quorum >= 0),
  daily_limit integer not null check (daily_limit >= 0),
  burst_limit integer not null check (burst_limit >= 0),
  changed_at timestamptz not null,
  second_person text not null check (second_person <> ''),
  {DECIDED},
  mac bytea not null,
  primary key (seal_id, version)
);
create table seal_approval (
  approval_id uuid primary key,
  seal_id text not null references seal,
  document_sha256 text not null,
  approver text not null check (approver <> ''),
  note text not null,
  account text not null,
  approved_at timestamptz not null,
  mac bytea not null
);
create index seal_approval_document on seal_approval (seal_id, document_sha256, approved_at);
"""
KEPT = ("seal_use_detail", "seal_grant", "seal_grant_withdrawal", "seal_rule", "seal_approval")
"""Tables that only grow."""
# What own_grants() says beyond what it said before: decisions and records are written once.
GRANTS = f"""
alter function own_grants() rename to own_grants_until_0004;
create function own_grants() returns void language plpgsql set search_path = pg_catalog, public as $$
begin
  perform own_grants_until_0004();
  if exists (select from pg_roles where rolname = 'seal_app') then
    revoke update, delete on {", ".join(KEPT)} from seal_app;
  end if;
end
$$;
revoke execute on function own_grants() from public;
select own_grants();
"""
BACK = f"""
drop function own_grants();
alter function own_grants_until_0004() rename to own_grants;
drop table {", ".join(KEPT)};
drop index seal_use_sealed, seal_use_document;
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in KEPT:
        op.execute(
            f"create trigger {table}_kept before update or delete or truncate on {table}"
            " for each statement execute function append_only()"
        )
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute(BACK)
