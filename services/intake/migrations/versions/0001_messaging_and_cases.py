"""Messaging tables of the chassis, and cases with their parts, feeds, timeline, ratings and archive."""

from __future__ import annotations

from alembic import op

from chassis.limits import LIMITS_V1
from chassis.messaging_schema import MESSAGING_V1
from chassis.requests import REQUESTS_V1

revision = "0001"
down_revision = None

PART_STATES = (
    "'draft', 'submitted', 'supplement', 'accepted', 'reviewed', 'approved', 'rejected', 'refused', "
    "'completed', 'withdrawn'"
)
PART_STEPS = (
    ("draft", "submitted"),
    ("submitted", "supplement"),
    ("submitted", "accepted"),
    ("submitted", "refused"),
    ("submitted", "withdrawn"),
    ("supplement", "submitted"),
    ("supplement", "withdrawn"),
    ("accepted", "reviewed"),
    ("accepted", "approved"),
    ("accepted", "rejected"),
    ("accepted", "withdrawn"),
    ("reviewed", "approved"),
    ("reviewed", "rejected"),
    ("reviewed", "withdrawn"),
    ("approved", "completed"),
)
"""What may follow what; equal to ``services.intake.domain.cases.states.steps()``, held by a test."""

CASES = (
    # A plan is the part of the catalogue that cases were begun under; many cases share one.
    """
    create table case_plan (
      plan_digest text primary key,
      plan jsonb not null,
      stored_at timestamptz not null default clock_timestamp())
    """,
    # content: answers, form, supplies (encrypted as one). version counts events.
    """
    create table service_case (
      case_id text primary key,
      person_id text not null,
      handled_by text not null,
      version bigint not null,
      state text not null check (
        state in ('draft', 'submitted', 'supplement', 'in_progress', 'closed', 'withdrawn')),
      case_no text unique,
      title text not null,
      county_code text not null,
      target_kind text not null,
      target_id text not null,
      plan_digest text not null references case_plan,
      terminal_id text,
      assurance smallint not null,
      content bytea not null,
      digest text not null default '',
      receipt text not null default '',
      created_at timestamptz not null,
      submitted_at timestamptz,
      withdrawn_at timestamptz,
      closed_at timestamptz,
      archived_at timestamptz,
      rated_at timestamptz,
      check ((state = 'draft') = (submitted_at is null)),
      check ((case_no is null) = (submitted_at is null)))
    """,
    "create index service_case_plan on service_case (plan_digest)",
    "create index service_case_person on service_case (person_id, created_at desc, case_id desc)",
    f"""
    create table case_part (
      part_id text primary key,
      case_id text not null references service_case,
      position smallint not null,
      department_code text not null,
      item_code text not null,
      state text not null check (state in ({PART_STATES})),
      version bigint not null,
      project_no text,
      claimed_by text,
      promised_due date,
      promised_pending boolean not null default false,
      statutory_due date,
      statutory_pending boolean not null default false,
      calendar_version text not null default '',
      received_at timestamptz,
      submitted_at timestamptz,
      accepted_at timestamptz,
      deemed boolean not null default false,
      supplement_requested_at timestamptz,
      decided_at timestamptz,
      completed_at timestamptz,
      licence_id text,
      licence_identifier text,
      licence_name text,
      texts bytea not null,
      changed_at timestamptz not null,
      unique (case_id, position),
      unique (project_no))
    """,
    """
    create index case_part_department on case_part (department_code, changed_at desc, part_id desc)
      where state <> 'draft'
    """,
    "create index case_part_silent on case_part (received_at) where state = 'submitted'",
    """
    create index case_part_pending on case_part (part_id)
      where promised_pending or statutory_pending
    """,
    # Two rows at most, two persons: never a third signature, whatever the code does.
    """
    create table part_signature (
      part_id text not null references case_part,
      position smallint not null check (position in (1, 2)),
      staff_id text not null,
      decision text not null check (decision in ('approve', 'reject')),
      opinion bytea not null,
      signed_at timestamptz not null,
      primary key (part_id, position),
      unique (part_id, staff_id))
    """,
    "create table part_step (source text not null, target text not null, primary key (source, target))",
    "insert into part_step (source, target) values " + ", ".join(f"('{a}', '{b}')" for a, b in PART_STEPS),
    """
    create function refuse_foreign_part_step() returns trigger language plpgsql as $$
    begin
      if not exists (select 1 from part_step where source = old.state and target = new.state) then
        raise exception 'part % may not go from % to %', old.part_id, old.state, new.state
          using errcode = 'check_violation';
      end if;
      return new;
    end $$
    """,
    """
    create trigger case_part_step before update of state on case_part
      for each row when (old.state is distinct from new.state)
      execute function refuse_foreign_part_step()
    """,
    """
    create table case_sequence (
      prefix text not null,
      day date not null,
      last_number integer not null,
      primary key (prefix, day))
    """,
    # The counter row is locked until the commit: revision order is commit order, without gaps.
    "create table department_feed (department_code text primary key, revision bigint not null)",
    """
    create table part_change (
      department_code text not null,
      revision bigint not null,
      part_id text not null,
      change text not null,
      state text not null,
      changed_at timestamptz not null,
      primary key (department_code, revision))
    """,
    """
    create table case_timeline (
      case_id text not null,
      at timestamptz not null,
      service text not null,
      what text not null,
      reference text not null,
      primary key (case_id, service, what, reference))
    """,
    """
    create table case_rating (
      case_id text primary key references service_case,
      grade smallint not null check (grade between 1 and 5),
      options text[] not null,
      text bytea not null,
      channel text not null,
      rated_at timestamptz not null)
    """,
    """
    create table rectification (
      order_id text primary key,
      case_id text not null unique references service_case,
      contact_due date,
      rectify_due date,
      calendar_version text not null,
      opened_at timestamptz not null)
    """,
    """
    create table case_archive (
      case_id text primary key references service_case,
      file_id text not null,
      sha256 text not null,
      sm3 text not null,
      size_bytes bigint not null,
      manifest text not null,
      archived_at timestamptz not null)
    """,
)


def upgrade() -> None:
    """Create everything on an empty database."""
    for statement in (*MESSAGING_V1, *REQUESTS_V1, *LIMITS_V1, *CASES):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: the first schema is left by dropping the database."""
    message = "drop the database instead"
    raise RuntimeError(message)
