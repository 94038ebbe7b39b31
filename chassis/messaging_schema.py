"""The tables of messaging: what every service's database needs, and the PostgreSQL bus.

Each tuple is one migration step, run once and in order; it is never edited after a release,
a change is a new tuple (``MESSAGING_V2``).
"""

from __future__ import annotations

MESSAGING_V1: tuple[str, ...] = (
    # cache 1: a larger sequence cache hands blocks of numbers to sessions, and the order is gone.
    # The topic is part of the aggregate's uniqueness so that a v2 type can run beside v1.
    """
    create table event_log (
      seq bigint generated always as identity (cache 1) primary key,
      event_id uuid not null unique,
      aggregate_type text not null,
      aggregate_id text not null,
      version bigint not null,
      type text not null,
      topic text not null,
      headers jsonb not null,
      payload bytea not null,
      shard smallint not null,
      created_at timestamptz not null default clock_timestamp(),
      published_at timestamptz,
      attempts smallint not null default 0,
      next_attempt_at timestamptz,
      last_error text,
      constraint event_log_aggregate_version unique (topic, aggregate_id, version))
    """,
    "create index event_log_pending on event_log (shard, seq) where published_at is null",
    """
    create index event_log_held on event_log (shard, aggregate_id)
      where published_at is null and next_attempt_at is not null
    """,
    "create index event_log_aggregate on event_log (aggregate_id, seq)",
    "create index event_log_created on event_log (created_at)",
    """
    alter table event_log set (
      autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)
    """,
    """
    create table relay_state (
      shard smallint primary key,
      cluster_id text not null,
      since timestamptz not null default clock_timestamp())
    """,
    """
    create table inbox (
      consumer text not null,
      event_id uuid not null,
      at timestamptz not null default clock_timestamp(),
      primary key (consumer, event_id))
    """,
    "create index inbox_at on inbox (at)",
    """
    create table seen_version (
      consumer text not null,
      topic text not null,
      aggregate_id text not null,
      version bigint not null,
      primary key (consumer, topic, aggregate_id))
    """,
    """
    create table batch_try (
      consumer text not null,
      topic text not null,
      partition integer not null,
      first_offset bigint not null,
      tries integer not null,
      primary key (consumer, topic, partition))
    """,
    """
    create table delivery_attempt (
      consumer text not null,
      event_id uuid not null,
      attempts integer not null,
      at timestamptz not null default clock_timestamp(),
      primary key (consumer, event_id))
    """,
    """
    create table parked_key (
      consumer text not null,
      topic text not null,
      key text not null,
      parked_at timestamptz not null default clock_timestamp(),
      primary key (consumer, topic, key))
    """,
    """
    create table dead_letter (
      dead_letter_id bigint generated always as identity (cache 1) primary key,
      consumer text not null,
      topic text not null,
      key text not null,
      partition integer not null,
      position bigint not null,
      event_id uuid not null,
      type text,
      record_key bytea,
      headers json not null,
      body bytea,
      at timestamptz not null,
      cause text not null,
      attempts integer not null,
      parked_at timestamptz not null default clock_timestamp(),
      state text not null default 'parked' check (state in ('parked', 'replayed', 'discarded')),
      resolved_at timestamptz,
      resolved_by text,
      resolution text,
      check ((state = 'parked') = (resolved_at is null)),
      check (state <> 'discarded' or resolution is not null))
    """,
    """
    create index dead_letter_parked on dead_letter (consumer, topic, key, dead_letter_id)
      where state = 'parked'
    """,
)
"""The tables of one service: outbox, relay, inbox, attempts, parked keys and dead letters."""

BUS_V1: tuple[str, ...] = (
    """
    create table bus_state (
      singleton boolean primary key default true check (singleton),
      cluster_id uuid not null default gen_random_uuid())
    """,
    "insert into bus_state default values",
    """
    create table part (
      topic text not null,
      part integer not null,
      next_off bigint not null default 0,
      first_off bigint not null default 0,
      primary key (topic, part))
    """,
    """
    create table msg (
      topic text not null,
      part integer not null,
      off bigint not null,
      event_id uuid,
      key bytea,
      headers json not null,
      body bytea,
      at timestamptz not null,
      primary key (topic, part, off),
      unique (topic, event_id))
    """,
    """
    create table grp (
      grp text not null,
      topic text not null,
      part integer not null,
      off bigint not null,
      owner uuid,
      lease timestamptz,
      gen bigint not null default 0,
      primary key (grp, topic, part))
    """,
    """
    create table grp_member (
      grp text not null,
      member uuid not null,
      topics text[] not null,
      lease timestamptz not null,
      primary key (grp, member))
    """,
)
"""The bus database: heads, the log itself, the groups' offsets and their living members."""
