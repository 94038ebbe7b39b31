"""The nightly verification with what its container is given: the words, the settings, the secrets, and a database."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from chassis.db import Database
from chassis.fields import FieldCipher
from chassis.keyring import new_keyring, parse_keyring
from chassis.migrate import migrate
from chassis.outbox import outbox_writer
from chassis.settings import SECRETS_DIR_VARIABLE
from cli.main import app
from services.certs.app import read_catalogue
from services.certs.store import TypeTable, Vault
from services.certs.store.log import BookStore
from services.certs.usecases.licence_types import publish_missing
from services.certs.usecases.log import sequence
from tests.integration.certs.conftest import CATALOGUE
from tests.integration.cli.test_log_commands import SIGNER
from tests.stacks.postgres import PostgresServer

COMPOSE = Path(__file__).parents[3] / "deploy" / "docker-compose.yml"
TAMPER = "update licence_type set published_by = 'somebody' where version = 1"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def database(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    """A registry's database under the name that it has in a deployment."""
    dsn = await postgres_server.create_database(name="certs")
    await migrate("certs", dsn)
    opened = await Database.open(dsn, now=now, write_events=outbox_writer("//tongban/certs"))
    yield opened
    await opened.close()
    await postgres_server.drop_database(dsn)


async def test_the_nightly_run_needs_no_more_than_its_container_has_and_names_an_altered_row(
    database: Database, postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = new_keyring(now())
    vault, types = Vault(FieldCipher(parse_keyring(keyring), service="certs")), read_catalogue(CATALOGUE)[0]
    async with database.transaction() as tx:
        await publish_missing(TypeTable(tx, vault), list(types.values()), "service/certs", "start", now())
    async with database.transaction() as tx:
        await sequence(BookStore(tx), SIGNER, tx.now())
    words = as_in_its_container(monkeypatch, tmp_path, postgres_server.dsn("certs"), keyring)
    assert await verdict(words, tmp_path) == (0, 0)
    async with database.transaction() as tx:
        await tx.execute("set local session_replication_role = replica")
        await tx.execute(TAMPER)
    status, findings = await verdict(words, tmp_path)
    assert (status, findings > 0) == (1, True)


async def verdict(words: list[str], place: Path) -> tuple[int, int]:
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert (place / "log-verified.json").is_file(), done.output
    return done.exit_code, json.loads((place / "log-verified.json").read_text())["findings"]


def as_in_its_container(patch: pytest.MonkeyPatch, place: Path, dsn: str, keyring: str) -> list[str]:
    """Have this process be told what the container is; return what it runs."""
    part = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]["log-verify"]
    contents = {
        "backup_database_dsn": dsn,
        "certs_field_keys": keyring,
        "certs_log_keys": f"# former\n{SIGNER.verifier}\n",
    }
    secrets = place / "secrets"
    secrets.mkdir()
    for each in part["secrets"]:
        (secrets / each["target"]).write_text(contents[each["source"]])
    for name in [name for name in os.environ if name.startswith("TONGBAN_")]:
        patch.delenv(name)
    for name, value in part["environment"].items():
        patch.setenv(name, str(value).replace("/run/secrets/", f"{secrets}/"))
    patch.setenv(SECRETS_DIR_VARIABLE, str(secrets))
    line = (
        part["command"][2].partition("tongban log verify")[2].partition("\n  sleep")[0].replace("\\\n", " ")
    )
    told = {
        "$$TONGBAN_LOG_VERIFIER": str(SIGNER.verifier),
        "/run/secrets": str(secrets),
        "/backups": str(place),
    }
    for there, here in told.items():
        line = line.replace(there, here)
    return ["log", "verify", *shlex.split(line)]
