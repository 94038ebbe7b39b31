"""From each recorded release to today: the data stays, the old code goes on serving, the new one refuses to start early."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from chassis.clock import system_clock
from chassis.db import Database
from chassis.errors import Fault
from chassis.keyring import read_keyring
from chassis.migrate import migrate
from chassis.migration_plan import plan
from chassis.roles import roles_of
from chassis.schema import check_schema, expected_head
from cli.local.credentials import admin_dsn, make_secrets, migrator_dsn, passwords
from cli.local.layout import SERVICES
from cli.local.postgres import EmbeddedPostgres
from cli.local.prepare import prepare
from cli.operations.places import local
from cli.operations.reconciling import COUNTRY, reconcile
from cli.operations.tables import Content, Table, content_of, read_tables
from tests.stacks.local import LocalStack
from tests.stacks.settling import rows
from tests.upgrade.conftest import Release, stack_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
MOVING = {
    "relay_state",
    "log_state",
    "log_adoption",
    "replica_cursor",
    "login_session",
    "login_challenge",
    "terminal_assertion",
    "stored_answer",
    "grp",
    "batch_try",
}
"""Tables that a running stack changes without any case."""
Held = dict[tuple[str, str], tuple[Table, Content]]


async def test_a_release_is_upgraded_while_it_serves(release: Release, today: Release) -> None:
    async with stack_of(release) as stack:
        await release.cases(stack.layout.home, 2, seed=1)
        before = await holdings(stack)
        await the_new_code_refuses_the_old_schema(stack, release)
        stack.layout.make()  # what an upgrade does first: new processes get their places, new roles their passwords
        make_secrets(stack.layout)
        await prepare(stack.layout, "postgres", None)
        assert await changed_since(stack, before) == []

        # Expand: the old code serves on the new schema, also after a restart.
        pids = {service: stack.kill(service) for service in ("intake", "seal")}
        for service, pid in pids.items():
            await stack.ready_again(service, pid)
        await release.cases(stack.layout.home, 1, seed=2)
        await release.tongban(stack.layout.home, "down")

        # One step back and forth again.
        server = EmbeddedPostgres(stack.layout.postgres)
        server.start(passwords(stack.layout)["postgres"])
        before = await holdings(stack)
        await down_and_up(stack, release)
        assert await changed_since(stack, before) == []
        server.stop()

        # Contract: the new code serves what the old code left.
        await today.tongban(stack.layout.home, "up", "--catalogue", str(today.tree / "catalogue"))
        await today.cases(stack.layout.home, 1, seed=3)
        made = await rows(stack.dsn("certs"), "select status from licence where origin = 'made'")
        assert [row["status"] for row in made] == ["valid"] * 4
        assert await differences(stack) == []
        await rows_get_their_codes_once(stack, today)


async def rows_get_their_codes_once(stack: LocalStack, today: Release) -> None:
    """What the old release wrote is given its integrity codes; from then on a row may not be without."""
    for service, table in (("certs", "usage"), ("intake", "part_signature"), ("seal", "seal_use")):
        ring = stack.layout.secrets(service) / "field_keys.json"
        uncoded = f"select count(*) as n from {table} where mac is null"
        assert read_keyring(ring).row_codes_since is None
        assert (await rows(stack.dsn(service), uncoded))[0]["n"] > 0
        again = ("keys", "rewrap", "--service", service, "--what", "rows")
        assert (await today.tongban(stack.layout.home, *again))["rows"] > 0
        assert (await rows(stack.dsn(service), uncoded))[0]["n"] == 0
        assert read_keyring(ring).row_codes_since is not None
        assert (await today.tongban(stack.layout.home, *again))["rows"] == 0


async def holdings(stack: LocalStack) -> Held:
    """Return what every table holds, in the columns it has now."""
    found: Held = {}
    for service in SERVICES:
        connection = await asyncpg.connect(stack.dsn(service), server_settings={"timezone": "UTC"})
        for table in await read_tables(connection):
            if table.name not in MOVING:
                found[service, table.name] = table, await content_of(connection, table)
        await connection.close()
    return found


async def changed_since(stack: LocalStack, before: Held) -> list[str]:
    """Return the tables that hold something else in the columns they had before."""
    different = []
    for service in SERVICES:
        connection = await asyncpg.connect(stack.dsn(service), server_settings={"timezone": "UTC"})
        for (owner, name), (table, content) in before.items():
            if owner == service and await content_of(connection, table) != content:
                different.append(f"{service}.{name}")
        await connection.close()
    return different


async def the_new_code_refuses_the_old_schema(stack: LocalStack, release: Release) -> None:
    for service in SERVICES:
        known = passwords(stack.layout)
        role = roles_of(service)[1]
        dsn = migrator_dsn(stack.layout, EmbeddedPostgres(stack.layout.postgres).server_dsn, service)
        dsn = dsn.replace(f"{roles_of(service)[0]}:{known[roles_of(service)[0]]}", f"{role}:{known[role]}")
        pending = await plan(service, stack.dsn(service))
        if release.schemas[service] == expected_head(service):
            assert pending == ()
            continue
        assert next(each.step.down_revision for each in pending) == release.schemas[service]
        database = await Database.open(dsn)
        with pytest.raises(Fault) as refused:
            async with database.transaction() as tx:
                await check_schema(tx, service)
        await database.close()
        assert refused.value.code == "SCHEMA_OUTDATED"
        assert release.schemas[service] in refused.value.en


async def down_and_up(stack: LocalStack, release: Release) -> None:
    for service in SERVICES:
        dsn, head = stack.dsn(service), expected_head(service)
        if release.schemas[service] == head:
            continue
        down = await migrate(service, dsn, revision=release.schemas[service], down=True)
        assert (down.before, down.after) == (head, release.schemas[service])
        await migrate(service, dsn)


async def differences(stack: LocalStack) -> list[Any]:
    places = local(stack.layout, "postgres")
    now = system_clock()
    assert places.server_dsn == admin_dsn(stack.layout, EmbeddedPostgres(stack.layout.postgres).server_dsn)
    report = await reconcile(places, now.astimezone(COUNTRY).date(), now, timedelta(0), None)
    return list(report.differences)


@pytest.mark.parametrize("service", SERVICES)
async def test_released_migrations_do_today_what_they_did(
    release: Release, today: Release, service: str
) -> None:
    """Also through what they import: a table definition of the chassis is part of them."""
    upto = ("-m", "cli", "migrate", service, "--sql", "--revision", release.schemas[service])
    assert await today.python(*upto) == await release.python(*upto)


def test_events_of_a_release_are_still_understood(release: Release, today: Release) -> None:
    from docs.schema_changes import not_additive

    folder = "tests/contract/events/schemas"
    for path in sorted((release.tree / folder).glob("*.json")):
        now = today.tree / folder / path.name
        assert now.is_file(), f"{path.name} is gone: its consumers are not"
        lost = not_additive(json.loads(path.read_text()), json.loads(now.read_text()))
        assert lost == [], f"{path.name}: {lost}"
