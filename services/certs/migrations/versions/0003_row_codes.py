"""Use-codes and status changes get a MAC; a row that only gains its MAC passes the append-only triggers.

Rows of the release before have none until `tongban keys rewrap --what rows` gives them theirs, once; from
then on the keyring makes the code refuse a row without. The column itself is NOT NULL in a release whose
predecessor writes it.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = "alter table use_code add column mac bytea; alter table licence_status_change add column mac bytea;"
TRIGGERS = """
create function refuse_change_but_first_mac() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.mac is null and to_jsonb(old) - 'mac' = to_jsonb(new) - 'mac' then
    return new;
  end if;
  raise exception 'table % is append-only', tg_table_name;
end $$;
create or replace trigger usage_append_only before update or delete on usage
  for each row execute function refuse_change_but_first_mac();
create or replace trigger licence_status_change_append_only before update or delete on licence_status_change
  for each row execute function refuse_change_but_first_mac();
"""
BACK = """
create or replace trigger usage_append_only before update or delete on usage
  for each row execute function refuse_change();
create or replace trigger licence_status_change_append_only before update or delete on licence_status_change
  for each row execute function refuse_change();
drop function refuse_change_but_first_mac();
alter table licence_status_change drop column mac;
alter table use_code drop column mac;
"""


def upgrade() -> None:
    op.execute(COLUMNS)
    op.execute(TRIGGERS)


def downgrade() -> None:
    op.execute(BACK)
