"""The command line of a service process: serve, or run the migration job. ``tongban`` is for people."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from chassis import logs
from chassis.run import run_process
from chassis.settings import MigrationSettings, load

Job = Callable[[], Coroutine[Any, Any, int]]
EXIT_USAGE = 64  # sysexits.h


def main(
    service: str,
    serve: Job,
    migration_settings: type[MigrationSettings],
    jobs: Mapping[str, Job] | None = None,
) -> None:
    """Run the process that the first argument names and exit with its status.

    ``serve`` runs the service, ``migrate`` brings its schema to this code's, ``migrate --sql`` prints
    the statements for a database administrator; further one-shot jobs as the service has them.
    """
    known: dict[str, Job] = {"serve": serve, "migrate": lambda: _migrate(service, migration_settings)}
    known |= jobs or {}
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if word not in known:
        sys.stderr.write(f"usage: python -m services.{service} {' | '.join(known)}\n")
        sys.exit(EXIT_USAGE)
    run_process(known[word])


async def _migrate(service: str, settings_class: type[MigrationSettings]) -> int:
    from chassis.migrate import migrate, migration_sql  # noqa: PLC0415 - SQLAlchemy is for the job only

    if "--sql" in sys.argv[2:]:
        sys.stdout.write(await asyncio.to_thread(migration_sql, service))
        return 0
    settings = load(settings_class)
    logs.configure(service, level=settings.log_level)
    done = await migrate(service, settings.migrator_dsn.get_secret_value())
    logs.get_logger(__name__).info("migrated", before=done.before, after=done.after, seconds=done.seconds)
    return 0
