"""The doctor names everything that is wrong at once, on really broken deployments; each with code and advice."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chassis.auth import new_signing_key, write_jwks
from chassis.bus import BusConfig, open_bus
from chassis.event import topics
from chassis.messaging_schema import BUS_V1
from chassis.rpc.channel import service
from cli.keeping.service_checks import consumed_topics
from cli.local.authority import LEAF_LIFETIME, open_authority
from tests.integration.keys.conftest import Open, Place

ROOT = Path(__file__).parents[3]


class Deployment:
    """One service's settings, files, databases and an open door."""

    def __init__(self, place: Place, bus_dsn: str, grpc_port: int) -> None:
        self.place, self.directory = place, place.directory
        self.tls = open_authority(self.directory / "certificates").identity(service("notify"))
        self.jwks = self.directory / "token_keys.json"
        write_jwks([new_signing_key()], self.jwks)
        self.state = self.directory / "state.json"
        self.backed_up(timedelta(hours=1))
        self.settings = {
            "DATABASE_DSN": place.dsn, "BUS": "postgres", "BUS_DSN": bus_dsn, "GRPC_PORT": str(grpc_port),
            "HTTP_PORT": "0", "FIELD_KEYS": str(place.ring), "TOKEN_KEYS": str(self.jwks),
            "TLS_CERTIFICATE": str(self.tls.certificate), "TLS_KEY": str(self.tls.key),
            "TLS_AUTHORITY": str(self.tls.authority), "DATA_DIR": str(self.directory),
            "INTAKE_ADDRESS": "127.0.0.1:1", "BACKUP_STATE_FILE": str(self.state),
        }  # fmt: skip

    def backed_up(self, ago: timedelta) -> None:
        self.state.write_text(json.dumps({"finished_at": (datetime.now(UTC) - ago).isoformat()}))

    async def run(self) -> tuple[int, dict[str, dict[str, Any]]]:
        """Run the command; return its exit status and its findings by name."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TONGBAN_")}
        told = {f"TONGBAN_NOTIFY_{name}": value for name, value in self.settings.items()}
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "cli", "doctor", "--json", "--data-dir", str(self.directory / "none")],
            cwd=ROOT,
            env={**plain, **told, "TONGBAN_SECRETS_DIR": str(self.directory / "nowhere")},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stdout, done.stderr
        return done.returncode, {each["name"]: each for each in json.loads(done.stdout)["checks"]}

    async def sql(self, statement: str) -> None:
        connection = await asyncpg.connect(self.place.dsn)
        await connection.execute(statement)
        await connection.close()


@pytest.fixture
async def deployment(place: Open, fresh_database: Any) -> Any:
    here = await place("notify")
    bus_dsn = await fresh_database(BUS_V1)
    import events  # noqa: F401

    bus = await open_bus(BusConfig("postgres", "test", postgres_dsn=bus_dsn))
    await bus.create_topics(topics(), 2)
    await bus.close()
    door = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    yield Deployment(here, bus_dsn, door.sockets[0].getsockname()[1])
    door.close()


def errors(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: each["code"] for name, each in found.items() if each["severity"] == "error"}


async def test_a_sound_deployment_has_no_error(deployment: Deployment) -> None:
    status, found = await deployment.run()
    assert not errors(found)
    assert status == 0
    assert {"calendar", "notify grpc", "notify clock", "notify schema", "notify consumer"} <= set(found)


async def expired(deployment: Deployment) -> None:
    """A certificate that ends tomorrow, issued by the same authority."""
    authority = open_authority(deployment.directory / "certificates")
    early = datetime.now(UTC) - LEAF_LIFETIME + timedelta(days=1)
    deployment.tls.certificate.unlink()
    type(authority)(authority.directory, authority.key, authority.certificate, lambda: early).identity(
        service("notify")
    )


async def foreign_key(deployment: Deployment) -> None:
    other = open_authority(deployment.directory / "other").identity(service("notify"))
    deployment.tls.key.write_bytes(other.key.read_bytes())


async def parked(deployment: Deployment) -> None:
    await deployment.sql(
        """insert into dead_letter (consumer, topic, key, partition, position, event_id, headers, at, cause, attempts)
        values ('notify', 't', 'k', 0, 0, gen_random_uuid(), '{}', now(), 'X', 3)"""
    )


async def stuck_outbox(deployment: Deployment) -> None:
    await deployment.sql(
        """insert into event_log (event_id, aggregate_type, aggregate_id, version, type, topic, headers, payload,
        shard, created_at) values (gen_random_uuid(), 'a', 'a', 1, 't', 't', '{}', '', 0, now() - interval '1 hour')"""
    )


async def unread(deployment: Deployment) -> None:
    topic = consumed_topics("notify")[0]
    connection = await asyncpg.connect(deployment.settings["BUS_DSN"])
    await connection.execute("update part set next_off = 1 where topic = $1 and part = 0", topic)
    await connection.execute(
        "insert into msg (topic, part, off, headers, at) values ($1, 0, 0, '[]', now() - interval '2 hours')",
        topic,
    )
    await connection.close()


async def no_database(deployment: Deployment) -> None:
    deployment.settings["DATABASE_DSN"] = "postgresql://nobody@127.0.0.1:1/none"


async def old_schema(deployment: Deployment) -> None:
    await deployment.sql("update alembic_version set version_num = '0000'")


async def broken_ring(deployment: Deployment) -> None:
    deployment.place.ring.write_text("{}")


async def old_backup(deployment: Deployment) -> None:
    deployment.backed_up(timedelta(days=9))


async def no_token_keys(deployment: Deployment) -> None:
    deployment.jwks.unlink()


Break = Callable[[Deployment], Awaitable[None]]
BROKEN: dict[str, tuple[Break, dict[str, str]]] = {
    "certificate ends": (expired, {"notify notify.service.pem": "CERTIFICATE_ENDING"}),
    "foreign key": (foreign_key, {"notify key pair": "CERTIFICATE_WRONG"}),
    "dead letter": (parked, {"notify dead letters": "DEAD_LETTERS"}),
    "outbox": (stuck_outbox, {"notify outbox": "OUTBOX_OLD"}),
    "lag": (unread, {"notify consumer": "CONSUMER_LAG"}),
    "no database": (no_database, {"notify database": "DATABASE_UNREACHABLE"}),
    "schema": (old_schema, {"notify schema": "SCHEMA_WRONG"}),
    "keyring": (broken_ring, {"notify field key": "KEYRING_WRONG"}),
    "backup": (old_backup, {"notify backup": "BACKUP_OLD"}),
    "token keys": (no_token_keys, {"notify token keys": "TOKEN_KEYS_WRONG"}),
}


async def test_each_broken_state_is_named_and_all_of_them_at_once(deployment: Deployment) -> None:
    together = [name for name in BROKEN if name != "no database"]
    expected: dict[str, str] = {}
    for name in together:
        break_it, errors_of_it = BROKEN[name]
        await break_it(deployment)
        expected |= errors_of_it
    deployment.settings["GRPC_PORT"] = "1"
    expected["notify grpc"] = "SERVICE_DOWN"
    status, found = await deployment.run()
    assert status == 1
    said = errors(found)
    certificate = next(
        name for name in found if name.startswith("notify ") and name.endswith(".pem") and "auth" not in name
    )
    expected[certificate] = expected.pop("notify notify.service.pem")
    assert said == expected
    for each in found.values():
        if each["severity"] in ("error", "warning"):
            assert each["code"]
            assert each["do_en"]
            assert each["do_zh"]


async def test_wrong_settings_are_named_one_by_one(deployment: Deployment) -> None:
    del deployment.settings["TLS_KEY"]
    deployment.settings["GRPC_PORT"] = "many"
    status, found = await deployment.run()
    assert status == 1
    assert {"notify TONGBAN_NOTIFY_TLS_KEY", "notify TONGBAN_NOTIFY_GRPC_PORT"} <= set(errors(found))


async def test_a_database_that_is_gone_hides_nothing_else(deployment: Deployment) -> None:
    await no_database(deployment)
    await broken_ring(deployment)
    _, found = await deployment.run()
    assert errors(found) == {"notify database": "DATABASE_UNREACHABLE", "notify field key": "KEYRING_WRONG"}
