"""The transparency log: a queue that mutations and uses write, the tree's leaves, tiles and checkpoints."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = """
create table log_queue (
  queue_id bigint generated always as identity primary key,
  licence_id uuid,
  kind text not null,
  leaf bytea not null,
  salt bytea,
  queued_at timestamptz not null
);

create table log_leaf (
  leaf_index bigint primary key check (leaf_index >= 0),
  licence_id uuid,
  kind text not null,
  leaf bytea not null,
  salt bytea
);
create index log_leaf_licence on log_leaf (licence_id, kind, leaf_index) where licence_id is not null;

create table log_tile (
  level smallint not null,
  tile_index bigint not null,
  hashes bytea not null check (length(hashes) between 32 and 8192 and length(hashes) % 32 = 0),
  primary key (level, tile_index)
);
alter table log_tile alter column hashes set storage external;

create table log_checkpoint (
  size bigint primary key check (size >= 0),
  root bytea not null check (length(root) = 32),
  note text not null,
  signed_at timestamptz not null
);

create table log_cosignature (
  size bigint not null references log_checkpoint,
  witness text not null,
  line text not null,
  cosigned_at timestamptz not null,
  primary key (size, witness)
);
create index log_cosignature_witness on log_cosignature (witness, size desc);

create table log_state (
  only_row boolean primary key default true check (only_row),
  size bigint not null,
  began_at timestamptz not null
);
insert into log_state (size, began_at) values (0, clock_timestamp());
"""
TRIGGERS = """
create function refuse_change_but_forgotten_salt() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.salt is null and to_jsonb(old) - 'salt' = to_jsonb(new) - 'salt' then
    return new;
  end if;
  raise exception 'table % is append-only', tg_table_name;
end $$;
create function refuse_change_but_growth() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and (new.level, new.tile_index) = (old.level, old.tile_index)
      and length(new.hashes) >= length(old.hashes)
      and substring(new.hashes for length(old.hashes)) = old.hashes then
    return new;
  end if;
  raise exception 'table % is append-only', tg_table_name;
end $$;
create trigger log_leaf_append_only before update or delete on log_leaf
  for each row execute function refuse_change_but_forgotten_salt();
create trigger log_tile_append_only before update or delete on log_tile
  for each row execute function refuse_change_but_growth();
create trigger log_checkpoint_append_only before update or delete on log_checkpoint
  for each row execute function refuse_change();
create trigger log_cosignature_append_only before update or delete on log_cosignature
  for each row execute function refuse_change();
"""
BACK = """
drop table log_state, log_cosignature, log_checkpoint, log_tile, log_leaf, log_queue;
drop function refuse_change_but_growth();
drop function refuse_change_but_forgotten_salt();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(TRIGGERS)


def downgrade() -> None:
    op.execute(BACK)
