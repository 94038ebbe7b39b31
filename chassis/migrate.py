"""Schema migrations as a one-shot job: Alembic, driven from code, one job at a time per database.

A migration file in ``services/<service>/migrations/versions/`` declares ``revision``,
``down_revision``, ``upgrade()`` and ``downgrade()`` and speaks plain SQL through ``op.execute``;
several statements may stand in one call. A migration that takes something away from code of the
release before sets ``code_floor`` to the oldest revision whose code may still serve, and
``contracts`` to the release that stopped using it (`chassis.migration_plan` tells what takes away).
"""

from __future__ import annotations

import asyncio
import io
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from chassis.errors import PEER_UNAVAILABLE, Kind, declare
from chassis.schema import FLOOR_MARK, chain, versions_dir

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from alembic.runtime.environment import EnvironmentContext
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

LOCK_TIMEOUT_MS = 5_000
"""A migration that cannot get its table lock this soon gives up instead of queueing the service behind it."""
STATEMENT_TIMEOUT_MS = 600_000
JOB_WAIT_SECONDS = 120.0
_JOB_LOCK = 0x746F6E67_62616E6D  # "tongbanm", an arbitrary key nobody else uses
_POLL_SECONDS = 0.2

MIGRATION_LOCKED = declare(
    "MIGRATION_LOCKED",
    Kind.ABORTED,
    "另一迁移任务正在执行，或数据表被占用：{cause}",
    "Another migration runs, or a table stayed locked: {cause}",
)
MIGRATION_FAILED = declare(
    "MIGRATION_FAILED", Kind.FAILED_PRECONDITION, "迁移失败：{cause}", "The migration failed: {cause}"
)

_one_at_a_time = asyncio.Lock()  # Alembic's ``op`` is one per process


@dataclass(frozen=True, slots=True)
class Migration:
    """What a job did: the revision before and after, None for an empty database, and how long it took."""

    service: str
    before: str | None
    after: str | None
    seconds: float


async def migrate(
    service: str,
    dsn: str,
    *,
    revision: str = "head",
    down: bool = False,
    directory: Path | None = None,
) -> Migration:
    """Bring a database to a revision; each migration is one transaction.

    ``dsn`` is the owner's. With ``down`` the way is backwards and ``revision`` may be ``-1``.

    Raises MIGRATION_LOCKED, MIGRATION_FAILED, PEER_UNAVAILABLE, MIGRATIONS_MALFORMED.
    """
    versions = directory or versions_dir(service)
    chain(versions)
    started = time.monotonic()
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - only the job pays for SQLAlchemy

    try:
        async with _one_at_a_time, _job_lock(dsn):
            before, after = await _run(dsn, versions, revision, down=down)
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError) as problem:
        raise PEER_UNAVAILABLE(peer="database") from problem
    except (DBAPIError, asyncpg.PostgresError) as problem:
        original = getattr(problem, "orig", None)
        cause = str(original.__cause__ if original else problem)
        reason = MIGRATION_LOCKED if "lock timeout" in cause else MIGRATION_FAILED
        raise reason(cause=cause) from problem
    return Migration(service, before, after, time.monotonic() - started)


def migration_sql(
    service: str, *, revision: str = "head", start: str | None = None, directory: Path | None = None
) -> str:
    """Return the SQL from a revision (default: an empty database) to another, for a DBA to read and run."""
    buffer = io.StringIO()
    buffer.write(
        f"SET lock_timeout = {LOCK_TIMEOUT_MS};\nSET statement_timeout = {STATEMENT_TIMEOUT_MS};\n\n"
    )
    with _environment(directory or versions_dir(service), revision, sql=True, start=start) as context:
        context.configure(
            dialect_name="postgresql",
            output_buffer=buffer,
            literal_binds=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    return buffer.getvalue()


@asynccontextmanager
async def _job_lock(dsn: str) -> AsyncIterator[None]:
    """Hold the database's migration lock; polled, since a waiting statement would stop CREATE INDEX CONCURRENTLY."""
    connection = await asyncpg.connect(dsn)
    try:
        deadline = time.monotonic() + JOB_WAIT_SECONDS
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _JOB_LOCK):
            if time.monotonic() > deadline:
                raise MIGRATION_LOCKED(cause=f"waited {JOB_WAIT_SECONDS:.0f} s")
            await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        await connection.close()


async def _run(dsn: str, versions: Path, revision: str, *, down: bool) -> tuple[str | None, str | None]:
    engine = _engine(dsn)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_apply, versions, revision, down)
    finally:
        await engine.dispose()


def _apply(
    connection: Connection, versions: Path, revision: str, down: bool
) -> tuple[str | None, str | None]:
    with _environment(versions, revision, down=down) as context:
        context.configure(connection=connection, transaction_per_migration=True)
        migration = context.get_context()
        before = migration.get_current_revision()
        with context.begin_transaction():
            context.run_migrations()
        after = migration.get_current_revision()
    connection.rollback()
    if after is not None:
        _write_floor(connection, versions, after)
    return before, after


def _write_floor(connection: Connection, versions: Path, after: str) -> None:
    """Note the highest floor of the applied migrations, and leave the serving role only its read right."""
    floor = ""
    for step in chain(versions):
        floor = step.code_floor or floor
        if step.revision == after:
            break
    mark = f"'{FLOOR_MARK}{floor}'" if floor else "NULL"
    with connection.begin():
        connection.exec_driver_sql(f"COMMENT ON TABLE public.alembic_version IS {mark}")
        grantees = connection.exec_driver_sql(
            "SELECT DISTINCT grantee FROM information_schema.role_table_grants WHERE table_schema = 'public'"
            " AND table_name = 'alembic_version' AND grantee NOT IN ('PUBLIC', current_user)"
        ).scalars()
        for grantee in grantees.all():
            connection.exec_driver_sql(
                f'REVOKE INSERT, UPDATE, DELETE ON public.alembic_version FROM "{grantee}"'
            )


def _environment(
    versions: Path, revision: str, *, down: bool = False, sql: bool = False, start: str | None = None
) -> EnvironmentContext:
    from alembic.config import Config  # noqa: PLC0415 - only the job pays for Alembic
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    script = ScriptDirectory(versions.parent, version_locations=[versions])
    steps: Callable[..., Any] = script._downgrade_revs if down else script._upgrade_revs  # noqa: SLF001
    return EnvironmentContext(
        Config(),
        script,
        fn=lambda current, _context: steps(revision, current),
        as_sql=sql,
        starting_rev=start,
        destination_rev=revision,
    )


def _engine(dsn: str) -> AsyncEngine:
    from sqlalchemy import TextClause, event, util  # noqa: PLC0415 - only the job pays for SQLAlchemy
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    settings = {"lock_timeout": str(LOCK_TIMEOUT_MS), "statement_timeout": str(STATEMENT_TIMEOUT_MS)}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        async_creator=lambda: asyncpg.connect(dsn, server_settings=settings),
    )

    def several_statements(cursor: Any, statement: str, _parameters: Any, context: Any) -> bool | None:
        """Send a text of several statements by the simple protocol; asyncpg cannot prepare it."""
        text = context.compiled is not None and isinstance(context.compiled.statement, TextClause)
        if not text or ";" not in statement.strip().rstrip(";"):
            return None
        cursor.execute("SELECT 1")  # opens the transaction
        util.await_only(context.root_connection.connection.driver_connection.execute(statement))
        return True

    event.listen(engine.sync_engine, "do_execute", several_statements)
    event.listen(
        engine.sync_engine,
        "do_execute_no_params",
        lambda cursor, statement, context: several_statements(cursor, statement, (), context),
    )
    return engine
