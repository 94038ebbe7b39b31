"""Licences, their history, use-codes, the usage record, presentations, import answers."""

from __future__ import annotations

from alembic import op

from chassis.messaging_schema import MESSAGING_V1
from chassis.requests import REQUESTS_V1

revision = "0001"
down_revision = None

STATUSES = """('draft', 'pending_seal', 'valid', 'suspended', 'expired', 'replaced', 'cancelled',
  'revoked', 'forfeited')"""

LICENCES = f"""
create table licence (
  licence_id uuid primary key,
  lineage_id uuid not null,
  identifier text not null,
  identifier_key bytea not null,
  type_code text not null,
  type_name text not null,
  issuer_code text not null,
  issuer_name text not null,
  county_code text not null,
  holder_key bytea not null,
  subject bytea not null,
  face bytea not null,
  content_key bytea,
  issued_date date not null,
  valid_from date,
  valid_until date,
  status text not null check (status in {STATUSES}),
  origin text not null check (origin in ('imported', 'made')),
  trust_grade text not null,
  quality_flags text[] not null,
  version bigint not null check (version > 0),
  serial_version smallint not null,
  case_id text not null,
  part_id text not null,
  item_code text not null,
  unsealed_sha256 text not null default '',
  seal_x_mm double precision not null default 0,
  seal_y_mm double precision not null default 0,
  sealed_sha256 text not null default '',
  signature_id text not null default '',
  seal_verdict text not null default '',
  seal_verified_at timestamptz,
  seal_refusal text not null default '',
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint licence_identifier_key unique (identifier_key)
);
create index licence_holder on licence (holder_key);
create index licence_lineage on licence (lineage_id);
create unique index licence_part on licence (part_id) where part_id <> '';
create index licence_term on licence (valid_until) where status in ('valid', 'suspended') and valid_until is not null;

create table licence_co_holder (
  licence_id uuid not null references licence,
  holder_key bytea not null,
  primary key (licence_id, holder_key)
);
create index licence_co_holder_key on licence_co_holder (holder_key);

create table licence_past (
  licence_id uuid not null references licence,
  version bigint not null,
  type_name text not null,
  issuer_name text not null,
  subject bytea not null,
  face bytea not null,
  issued_date date not null,
  valid_from date,
  valid_until date,
  status text not null,
  quality_flags text[] not null,
  replaced_at timestamptz not null,
  primary key (licence_id, version)
);

create table licence_status_change (
  licence_id uuid not null references licence,
  version bigint not null,
  previous text not null check (previous in {STATUSES}),
  status text not null check (status in {STATUSES}),
  act text not null,
  reason text not null,
  basis_document text not null,
  operator text not null,
  effective_at timestamptz not null,
  changed_at timestamptz not null,
  changed_by text not null,
  primary key (licence_id, version)
);

create table serial_counter (
  issuer_code text not null,
  type_code text not null,
  year smallint not null,
  last_sequence integer not null,
  primary key (issuer_code, type_code, year)
);
"""

USES = """
create table use_code (
  use_code_id uuid primary key,
  code_digest bytea not null unique,
  licence_id uuid not null references licence,
  item_code text not null,
  case_id text not null,
  consumer_code text not null,
  face_fields text[] not null,
  use_cause text not null,
  consent_version text not null,
  consented_at timestamptz not null,
  issued_at timestamptz not null,
  expires_at timestamptz not null,
  max_uses smallint not null,
  uses_left smallint not null check (uses_left >= 0 and uses_left <= max_uses),
  revoked_at timestamptz,
  revoked_reason text
);
create index use_code_licence on use_code (licence_id);
create index use_code_case on use_code (case_id);

create table usage (
  usage_id uuid primary key,
  kind text not null,
  licence_id uuid references licence,
  use_code_id uuid references use_code,
  holder_key bytea,
  consumer_code text not null,
  consumer_name text not null,
  consumer_is_department boolean not null,
  item_code text not null,
  case_id text not null,
  use_cause text not null,
  basis text not null,
  outcome text not null,
  used_at timestamptz not null
);
create index usage_holder on usage (holder_key, used_at desc, usage_id desc);
create index usage_licence on usage (licence_id, used_at desc, usage_id desc);
create index usage_use_code on usage (use_code_id) where use_code_id is not null;

create table presentation (
  presentation_id uuid primary key,
  code_digest bytea not null unique,
  handle text not null unique,
  licence_id uuid not null references licence,
  issued_at timestamptz not null,
  expires_at timestamptz not null,
  scanned_at timestamptz,
  scanned_by text
);
create index presentation_licence on presentation (licence_id);

create table import_answer (
  caller text not null,
  batch_id text not null,
  row_number integer not null,
  content_key bytea not null,
  outcome text not null check (outcome in ('created', 'unchanged', 'updated', 'refused')),
  licence_id uuid,
  quality_flags text[] not null,
  problems jsonb not null,
  answered_at timestamptz not null,
  primary key (caller, batch_id, row_number)
);
"""

APPEND_ONLY = """
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'table % is append-only', tg_table_name;
end $$;
create trigger usage_append_only before update or delete on usage
  for each row execute function refuse_change();
create trigger licence_status_change_append_only before update or delete on licence_status_change
  for each row execute function refuse_change();
create trigger licence_past_append_only before update or delete on licence_past
  for each row execute function refuse_change();
"""


def upgrade() -> None:
    for statement in (*MESSAGING_V1, *REQUESTS_V1, LICENCES, USES, APPEND_ONLY):
        op.execute(statement)


def downgrade() -> None:
    tables = (
        "import_answer, presentation, usage, use_code, serial_counter, licence_status_change, licence_past,"
        " licence_co_holder, licence, stored_answer, event_log, relay_state, inbox, seen_version, batch_try,"
        " delivery_attempt, parked_key, dead_letter"
    )
    op.execute(f"drop table if exists {tables} cascade")
    op.execute("drop function if exists refuse_change()")
