"""Identity: persons, representations, log-ins, used assertions, the record of contact readings."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

IDENTITY = (
    # subject: keyed hash of kind and number. name, id_number, phone, address: encrypted one by one.
    """
    create table person (
      person_id text primary key,
      kind text not null check (kind in ('natural', 'legal')),
      subject bytea not null unique,
      id_type_code text not null,
      id_number bytea not null,
      name bytea not null,
      phone bytea not null,
      address bytea not null,
      version bigint not null,
      registered_at timestamptz not null)
    """,
    """
    create table representation (
      organisation_id text not null references person,
      person_id text not null references person,
      licence_id text not null,
      confirmed_at timestamptz not null,
      revoked_at timestamptz,
      primary key (organisation_id, person_id))
    """,
    "create index representation_person on representation (person_id, confirmed_at)",
    # claim: reading and phone, encrypted as one, null as soon as the challenge is over.
    """
    create table login_challenge (
      session_id text primary key,
      subject bytea not null,
      terminal_id text not null,
      code_hash bytea not null,
      claim bytea,
      state text not null check (state in ('open', 'used', 'locked')),
      wrong_tries smallint not null,
      sends smallint not null,
      opened_at timestamptz not null,
      sent_at timestamptz not null,
      expires_at timestamptz not null,
      failed_at timestamptz,
      check ((state = 'locked') = (failed_at is not null)),
      check (state = 'open' or claim is null))
    """,
    "create index login_challenge_failed on login_challenge (subject, failed_at) where state = 'locked'",
    "create index login_challenge_opened on login_challenge (opened_at)",
    """
    create table login_session (
      session_id text primary key,
      person_id text not null references person,
      terminal_id text not null,
      assurance smallint not null,
      opened_at timestamptz not null,
      expires_at timestamptz not null,
      ended_at timestamptz)
    """,
    "create index login_session_person on login_session (person_id)",
    """
    create table terminal_assertion (
      terminal_id text not null,
      jti text not null,
      expires_at timestamptz not null,
      primary key (terminal_id, jti))
    """,
    "create index terminal_assertion_expires on terminal_assertion (expires_at)",
    """
    create table contact_read (
      contact_read_id bigint generated always as identity primary key,
      person_id text not null references person,
      reader text not null,
      purpose text not null,
      read_at timestamptz not null)
    """,
    "create index contact_read_person on contact_read (person_id, read_at)",
)


def upgrade() -> None:
    for statement in IDENTITY:
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "drop table contact_read, terminal_assertion, login_session, login_challenge, representation, person"
    )
