"""Keys, seals with their history, the ledger of uses, sealed documents, certificates and signed lists."""

from __future__ import annotations

from alembic import op

from chassis.messaging_schema import MESSAGING_V1
from chassis.requests import REQUESTS_V1

revision = "0001"
down_revision = None

TABLES = """
create table signer_key (
  key_id uuid primary key,
  owner_code text not null,
  public_key bytea not null,
  proof bytea not null,
  wrapped_key bytea not null,
  created_at timestamptz not null
);
create index signer_key_owner on signer_key (owner_code, key_id);
create table seal (
  seal_id text primary key,
  owner_code text not null,
  name text not null,
  key_id uuid not null unique references signer_key,
  certificate bytea not null,
  ses_seal bytea not null,
  valid_from timestamptz not null,
  valid_until timestamptz not null,
  status text not null check (status in ('made', 'filed', 'active', 'suspended', 'lost', 'remade', 'cancelled')),
  since timestamptz not null,
  version bigint not null
);
create index seal_owner on seal (owner_code, valid_from desc, seal_id desc);
create unique index seal_one_in_use on seal (owner_code) where status in ('made', 'filed', 'active', 'suspended');
create table seal_history (
  seal_id text not null references seal,
  version bigint not null,
  status text not null,
  since timestamptz not null,
  changed_at timestamptz not null,
  reason text not null check (reason <> ''),
  operator text not null check (operator <> ''),
  second_person text not null,
  account text not null,
  primary key (seal_id, version)
);
create table ledger_head (
  singleton boolean primary key default true check (singleton),
  sequence bigint not null,
  row_hash bytea not null
);
insert into ledger_head (sequence, row_hash) values (0, decode(repeat('00', 32), 'hex'));
create table seal_use (
  sequence bigint primary key,
  signature_id uuid not null,
  seal_id text not null,
  licence_id text not null,
  case_id text not null,
  issuer_code text not null,
  outcome text not null,
  unsealed_sha256 text not null,
  document_sm3 text not null,
  signature_sm3 text not null,
  used_at timestamptz not null,
  previous_hash bytea not null,
  row_hash bytea not null
);
create unique index seal_use_once on seal_use (licence_id) where outcome = 'sealed';
create index seal_use_refused on seal_use (sequence) where outcome <> 'sealed';
create index seal_use_licence on seal_use (licence_id, sequence);
create index seal_use_signature on seal_use (signature_id);
create index seal_use_digest on seal_use (signature_sm3) where outcome = 'sealed';
create index seal_use_seal on seal_use (seal_id, sequence desc);
create index seal_use_issuer on seal_use (issuer_code, sequence desc);
create table sealed_document (
  signature_id uuid primary key,
  seal_id text not null references seal,
  ofd bytea not null,
  sha256 text not null,
  signed_at timestamptz not null
);
create function append_only() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name;
end
$$;
create trigger seal_use_kept before update or delete or truncate on seal_use
  for each statement execute function append_only();
create trigger seal_history_kept before update or delete or truncate on seal_history
  for each statement execute function append_only();
"""

TRUST = """
create table trust_certificate (
  fingerprint text primary key,
  role text not null check (role in ('anchor', 'authority', 'maker', 'status')),
  certificate bytea not null,
  kept_at timestamptz not null
);
create table signed_list (
  issuer text not null references trust_certificate,
  number bigint not null,
  kind text not null check (kind in ('crl', 'status')),
  data bytea not null,
  issued_at timestamptz not null,
  next_update timestamptz not null,
  primary key (issuer, number)
);
"""


def upgrade() -> None:
    for statement in (*MESSAGING_V1, *REQUESTS_V1, TABLES, TRUST):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "drop table signed_list, trust_certificate, sealed_document, seal_use, ledger_head, seal_history, seal,"
        " signer_key; drop function append_only"
    )
