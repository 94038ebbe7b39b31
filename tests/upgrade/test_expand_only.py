"""A migration only adds, unless it says which release stopped using what it takes away."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.migration_plan import statements_of
from chassis.schema import Step, chain, versions_dir
from cli.local.layout import SERVICES

HEAD = "from alembic import op\n\nrevision = '0002'\ndown_revision = '0001'\n"
FIRST = """
from alembic import op

revision = "0001"
down_revision = None

def upgrade() -> None:
    op.execute("create table person (person_id text primary key, age integer, name text)")

def downgrade() -> None:
    op.execute("drop table person")
"""
DESTRUCTIVE = {
    "drop table person": "drops",
    "alter table person drop column age": "drops",
    "alter table person drop age": "drops",
    "alter table person rename column age to years": "renames",
    "alter table person rename to people": "renames",
    "alter table person alter column age type text": "changes a type",
    "alter table person alter age set data type text": "changes a type",
    "alter table person alter column age set not null": "demands a value",
    "alter table person add column note text not null": "demands a value",
    "alter table person add column note text, add mark int not null": "demands a value",
    "alter table person add constraint grown check (age > 17)": "tightens",
    "create unique index person_name on person (name)": "tightens",
    "delete from person where age > 90": "deletes rows",
    "truncate person": "deletes rows",
    "update person set age = 1; alter table person drop column name": "drops",
}
ADDITIVE = {
    "alter table person add column note text": "ACCESS EXCLUSIVE",
    "alter table person add column note text not null default ''": "ACCESS EXCLUSIVE",
    "alter table person alter column age drop not null": "ACCESS EXCLUSIVE",
    "create index person_age on person (age)": "SHARE",
    "create index concurrently person_age on person (age)": "SHARE UPDATE EXCLUSIVE",
    "drop index concurrently if exists person_age": "SHARE UPDATE EXCLUSIVE",
    "alter table person validate constraint grown": "SHARE UPDATE EXCLUSIVE",
    "update person set name = 'drop table person'": "ROW EXCLUSIVE",
    "create table note (note_id text not null references person); create unique index n on note (note_id)": "-",
    "comment on table person is 'rename; drop column'": "-",
}


def wrong(step: Step, taken: set[str]) -> str:
    """Return what is wrong with a migration that takes something away; empty when it says so."""
    if not taken or (step.contracts and step.code_floor):
        return ""
    return f"{step.revision} {', '.join(sorted(taken))}: name the release in `contracts` and set `code_floor`"


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_take_nothing_away_unannounced(service: str) -> None:
    found = []
    for step in chain(versions_dir(service)):
        told = statements_of(service, step.revision, step.down_revision)
        found.append(wrong(step, {each.takes_away for each in told if each.takes_away}))
    assert [each for each in found if each] == []


def second(directory: Path, sql: str, head: str = HEAD) -> Path:
    (directory / "0001_first.py").write_text(FIRST)
    body = f"\n\ndef upgrade() -> None:\n    op.execute({sql!r})\n\n\ndef downgrade() -> None:\n    pass\n"
    (directory / "0002_second.py").write_text(head + body)
    return directory


@pytest.mark.parametrize("sql", DESTRUCTIVE)
def test_what_takes_away_is_recognised(sql: str, tmp_path: Path) -> None:
    told = statements_of("probe", "0002", "0001", directory=second(tmp_path, sql))
    taken = {each.takes_away for each in told if each.takes_away}
    assert DESTRUCTIVE[sql] in ", ".join(taken)
    assert wrong(chain(tmp_path)[1], taken)


@pytest.mark.parametrize("sql", ADDITIVE)
def test_what_adds_passes_and_names_its_lock(sql: str, tmp_path: Path) -> None:
    told = statements_of("probe", "0002", "0001", directory=second(tmp_path, sql))
    assert {each.takes_away for each in told} == {""}
    assert {each.lock for each in told} == {ADDITIVE[sql]}


def test_a_contracting_migration_passes_when_it_names_the_release(tmp_path: Path) -> None:
    head = HEAD + "code_floor = '0002'\ncontracts = '0.2.0'\n"
    directory = second(tmp_path, "alter table person drop column age", head)
    told = statements_of("probe", "0002", "0001", directory=directory)
    assert wrong(chain(directory)[1], {each.takes_away for each in told}) == ""
