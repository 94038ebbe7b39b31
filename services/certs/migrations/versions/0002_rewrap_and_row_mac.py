"""A licence's past may be re-encrypted, and only that; the usage record gets a MAC per row."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

# The header (version, suite, key id) must change, the length of what follows must not, nor any other column.
REWRAP = """
create function is_rewrap(old_value bytea, new_value bytea) returns boolean language sql immutable as $$
  select old_value = new_value or (
    length(old_value) > 31 and length(new_value) > 31
    and substring(old_value for 3 + get_byte(old_value, 2)) <> substring(new_value for 3 + get_byte(new_value, 2))
    and length(old_value) - get_byte(old_value, 2) = length(new_value) - get_byte(new_value, 2))
$$;
create function refuse_change_but_rewrap() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and to_jsonb(old) - 'subject' - 'face' = to_jsonb(new) - 'subject' - 'face'
      and is_rewrap(old.subject, new.subject) and is_rewrap(old.face, new.face) then
    return new;
  end if;
  raise exception 'table % is append-only', tg_table_name;
end $$;
create or replace trigger licence_past_append_only before update or delete on licence_past
  for each row execute function refuse_change_but_rewrap();
"""


def upgrade() -> None:
    op.execute(REWRAP)
    op.execute("alter table usage add column mac bytea")


def downgrade() -> None:
    op.execute("alter table usage drop column mac")
    op.execute(
        "create or replace trigger licence_past_append_only before update or delete on licence_past"
        " for each row execute function refuse_change();"
        "drop function refuse_change_but_rewrap(); drop function is_rewrap(bytea, bytea)"
    )
