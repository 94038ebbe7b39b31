from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from chassis.db import Database
from chassis.errors import Fault
from chassis.migrate import migrate, migration_sql
from chassis.roles import dsn_for, provision, roles_of
from chassis.schema import check_schema, expected_head
from tests.stacks.postgres import PostgresServer

SERVICES = ("probe_intake", "probe_certs", "probe_seal", "probe_notify", "probe_bus")
PASSWORDS = {role: f'{role}\'s "word" %@:/' for service in SERVICES for role in roles_of(service)}

FIRST = '''
from alembic import op

revision = "0001"
down_revision = None

def upgrade() -> None:
    op.execute("""
        CREATE TABLE person (person_id text PRIMARY KEY, age integer NOT NULL);
        CREATE INDEX person_age ON person (age);
    """)

def downgrade() -> None:
    op.execute("DROP TABLE person")
'''
SECOND = """
from alembic import op

revision = "0002"
down_revision = "0001"

def upgrade() -> None:
    op.execute("ALTER TABLE person ADD COLUMN note text")

def downgrade() -> None:
    op.execute("ALTER TABLE person DROP COLUMN note")
"""
THIRD_BREAKS_HALFWAY = """
from alembic import op

revision = "0003"
down_revision = "0002"

def upgrade() -> None:
    op.execute("CREATE TABLE left_over (id bigint); SELECT 1/0;")

def downgrade() -> None:
    op.execute("DROP TABLE left_over")
"""
THIRD_CONTRACTS = """
from alembic import op

revision = "0003"
down_revision = "0002"
code_floor = "0002"

def upgrade() -> None:
    op.execute("ALTER TABLE person DROP COLUMN age")

def downgrade() -> None:
    op.execute("ALTER TABLE person ADD COLUMN age integer NOT NULL DEFAULT 0")
"""


def versions(root: Path, *texts: str) -> Path:
    directory = root / f"migrations{len(texts)}" / "versions"
    directory.mkdir(parents=True)
    for number, text in enumerate(texts, start=1):
        (directory / f"000{number}_step.py").write_text(text)
    return directory


@pytest.fixture
async def admin(postgres_server: PostgresServer) -> AsyncIterator[str]:
    yield postgres_server.admin_dsn
    for service in SERVICES:
        await postgres_server.drop_database(postgres_server.dsn(service))


def owner_dsn(admin: str, service: str) -> str:
    role = roles_of(service)[0]
    return dsn_for(admin, database=service, user=role, password=PASSWORDS[role])


def app_dsn(admin: str, service: str, database: str | None = None) -> str:
    role = roles_of(service)[1]
    return dsn_for(admin, database=database or service, user=role, password=PASSWORDS[role])


async def checked(admin: str, directory: Path) -> str:
    database = await Database.open(app_dsn(admin, "probe_intake"))
    try:
        async with database.transaction() as tx:
            await check_schema(tx, "probe_intake", directory=directory)
    except Fault as fault:
        return fault.code
    finally:
        await database.close()
    return "serves"


async def test_a_service_role_serves_rows_but_changes_no_schema(admin: str, tmp_path: Path) -> None:
    await provision(admin, SERVICES, PASSWORDS)
    await provision(admin, SERVICES, PASSWORDS)
    await migrate("probe_intake", owner_dsn(admin, "probe_intake"), directory=versions(tmp_path, FIRST))
    app = await asyncpg.connect(app_dsn(admin, "probe_intake"))
    await app.execute("INSERT INTO person VALUES ('p', 70)")
    assert await app.fetchval("SELECT age FROM person") == 70
    for forbidden in (
        "CREATE TABLE mine (id int)",
        "DROP TABLE person",
        "TRUNCATE person",
        "UPDATE alembic_version SET version_num = '0009'",
        "CREATE TEMPORARY TABLE t (id int)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(forbidden)
    await app.close()


async def test_no_role_connects_to_another_database(admin: str) -> None:
    await provision(admin, SERVICES, PASSWORDS)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(app_dsn(admin, "probe_intake", database="probe_certs"))


async def test_a_role_without_password_is_refused(admin: str) -> None:
    with pytest.raises(Fault, match="ROLE_WITHOUT_PASSWORD"):
        await provision(admin, ["probe_intake"], {})


async def test_the_schema_is_checked_in_every_relation_to_the_code(admin: str, tmp_path: Path) -> None:
    await provision(admin, SERVICES, PASSWORDS)
    one, two = versions(tmp_path, FIRST), versions(tmp_path, FIRST, SECOND)
    three = versions(tmp_path, FIRST, SECOND, THIRD_CONTRACTS)
    owner = owner_dsn(admin, "probe_intake")
    assert await checked(admin, one) == "SCHEMA_OUTDATED"
    await migrate("probe_intake", owner, directory=one)
    assert await checked(admin, one) == "serves"
    assert await checked(admin, two) == "SCHEMA_OUTDATED"
    await migrate("probe_intake", owner, directory=two)
    assert await checked(admin, one) == "serves", "an additive step leaves the release before running"
    await migrate("probe_intake", owner, directory=three)
    assert await checked(admin, two) == "serves"
    assert await checked(admin, one) == "SCHEMA_TOO_NEW"
    assert expected_head("probe_intake", directory=three) == "0003"


async def test_one_step_down_and_up_again(admin: str, tmp_path: Path) -> None:
    await provision(admin, SERVICES, PASSWORDS)
    two, owner = versions(tmp_path, FIRST, SECOND), owner_dsn(admin, "probe_intake")
    done = await migrate("probe_intake", owner, directory=two)
    assert (done.before, done.after) == (None, "0002")
    undone = await migrate("probe_intake", owner, revision="-1", down=True, directory=two)
    assert (undone.before, undone.after) == ("0002", "0001")
    assert (await migrate("probe_intake", owner, directory=two)).after == "0002"
    assert (await migrate("probe_intake", owner, revision="base", down=True, directory=two)).after is None


async def test_a_failing_migration_leaves_nothing_of_itself(admin: str, tmp_path: Path) -> None:
    await provision(admin, SERVICES, PASSWORDS)
    three, owner = versions(tmp_path, FIRST, SECOND, THIRD_BREAKS_HALFWAY), owner_dsn(admin, "probe_intake")
    with pytest.raises(Fault) as caught:
        await migrate("probe_intake", owner, directory=three)
    assert caught.value.code == "MIGRATION_FAILED"
    assert "division by zero" in caught.value.en
    connection = await asyncpg.connect(owner)
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "0002"
    assert await connection.fetchval("SELECT to_regclass('left_over')") is None
    await connection.close()


async def test_a_table_in_use_makes_the_job_give_up_by_name(
    admin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.migrate.LOCK_TIMEOUT_MS", 200)
    await provision(admin, SERVICES, PASSWORDS)
    owner = owner_dsn(admin, "probe_intake")
    await migrate("probe_intake", owner, directory=versions(tmp_path, FIRST))
    reader = await asyncpg.connect(app_dsn(admin, "probe_intake"))
    async with reader.transaction():
        await reader.fetch("SELECT person_id FROM person")
        with pytest.raises(Fault, match="MIGRATION_LOCKED"):
            await migrate("probe_intake", owner, directory=versions(tmp_path, FIRST, SECOND))
    await reader.close()


async def test_two_jobs_do_not_collide(admin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await provision(admin, SERVICES, PASSWORDS)
    directory, owner = versions(tmp_path, FIRST, SECOND), owner_dsn(admin, "probe_intake")
    other = await asyncpg.connect(owner)
    await other.execute("SELECT pg_advisory_lock($1)", 0x746F6E67_62616E6D)
    job = asyncio.create_task(migrate("probe_intake", owner, directory=directory))
    await asyncio.sleep(0.5)
    assert not job.done()
    await other.close()
    assert (await job).after == "0002"
    both = await asyncio.gather(*(migrate("probe_intake", owner, directory=directory) for _ in range(2)))
    assert {done.after for done in both} == {"0002"}


async def test_offline_sql_brings_an_empty_database_to_the_same_schema(admin: str, tmp_path: Path) -> None:
    await provision(admin, SERVICES, PASSWORDS)
    directory = versions(tmp_path, FIRST, SECOND)
    sql = migration_sql("probe_intake", directory=directory)
    assert "SET lock_timeout" in sql
    connection = await asyncpg.connect(owner_dsn(admin, "probe_intake"))
    await connection.execute(sql)
    await connection.close()
    assert await checked(admin, directory) == "serves"


async def test_an_unreachable_server_is_a_typed_refusal(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="PEER_UNAVAILABLE"):
        await migrate("probe_intake", "postgresql://127.0.0.1:1/x", directory=versions(tmp_path, FIRST))


async def test_four_services_migrate_within_three_seconds(admin: str, tmp_path: Path) -> None:
    await provision(admin, SERVICES, PASSWORDS)
    directory = versions(tmp_path, FIRST, SECOND)
    started = time.monotonic()
    for service in SERVICES[:4]:
        await migrate(service, owner_dsn(admin, service), directory=directory)
    assert time.monotonic() - started < 3
