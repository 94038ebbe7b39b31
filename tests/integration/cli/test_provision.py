"""`tongban provision` against a real PostgreSQL: what the services of a deployment find when they start."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from chassis.errors import Fault
from chassis.roles import dsn_for, roles_of
from cli.commands.provision import ProvisionSettings, provision_all
from cli.local.layout import FURTHER_ROLES, SERVICES
from tests.stacks.postgres import PostgresServer

DATABASES = (*SERVICES, "bus")
ROLES = [role for database in DATABASES for role in (*roles_of(database), *FURTHER_ROLES.get(database, ()))]
PASSWORDS = {role: f"{role} %@:/'" for role in ROLES}


@pytest.fixture
async def settings(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[ProvisionSettings]:
    words = tmp_path / "role_passwords.json"
    words.write_text(json.dumps(PASSWORDS))
    yield ProvisionSettings(
        admin_dsn=postgres_server.admin_dsn, role_passwords=words, bus="postgres", wait_seconds=0.1
    )
    connection = await asyncpg.connect(postgres_server.admin_dsn)
    for database in DATABASES:
        await connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    for role in ROLES:
        await connection.execute(f"DROP ROLE IF EXISTS {role}")
    await connection.close()


async def test_databases_roles_and_topics_are_there_and_a_second_run_changes_nothing(settings):
    done = await provision_all(settings)
    assert done.databases == DATABASES
    assert {"intake.case.v1", "certs.licence.v1", "seal.seal.v1"} <= set(done.topics)
    assert await provision_all(settings) == done
    admin = settings.admin_dsn.get_secret_value()
    bus = await asyncpg.connect(dsn_for(admin, database="bus", user="bus_app", password=PASSWORDS["bus_app"]))
    try:
        assert await bus.fetchval(
            "SELECT count(*) > 0 FROM information_schema.tables WHERE table_name = 'bus_state'"
        )
    finally:
        await bus.close()


async def test_an_unreadable_password_file_is_refused_without_its_content(settings):
    settings.role_passwords.write_text('{"intake_app": ["not-a-text"]}')
    with pytest.raises(Fault, match="ROLE_PASSWORDS_UNREADABLE") as refused:
        await provision_all(settings)
    assert "not-a-text" not in repr(refused.value) + repr(refused.value.__cause__)


async def test_a_database_that_does_not_answer_is_named(settings):
    nowhere = settings.model_copy(
        update={"admin_dsn": type(settings.admin_dsn)("postgresql://a:b@127.0.0.1:1/x")}
    )
    with pytest.raises(Fault, match="PEER_UNAVAILABLE"):
        await provision_all(nowhere)
