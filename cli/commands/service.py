"""`tongban serve` and `tongban migrate`: one service of a deployment, set up by environment and secrets."""

from __future__ import annotations

import asyncio
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer
from pydantic_settings import SettingsConfigDict

from chassis.migrate import migrate as run_migrations
from chassis.migrate import migration_sql
from chassis.settings import MigrationSettings, load
from cli.output import AsJson, refusals, show


class Service(StrEnum):
    """The four services."""

    INTAKE = "intake"
    CERTS = "certs"
    SEAL = "seal"
    NOTIFY = "notify"


Named = Annotated[Service, typer.Argument(help="服务 | Which service.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(migrate)


def serve(service: Named) -> None:
    """运行一个服务 | Run one service in the foreground, in place of this process."""
    os.execv(sys.executable, [sys.executable, "-m", f"services.{service.value}", "serve"])  # noqa: S606


def migrate(
    service: Named,
    *,
    revision: Annotated[str, typer.Option(help="目标版本 | Revision to reach.")] = "head",
    down: Annotated[bool, typer.Option("--down", help="回退 | Go backwards, e.g. --revision -1.")] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="只打印 SQL | Print the SQL for a DBA, run none.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """执行数据库迁移 | Bring one service's database to a revision; needs its MIGRATOR_DSN setting."""
    if sql:
        typer.echo(migration_sql(service.value, revision=revision))
        return
    with refusals(as_json=as_json):
        settings = load(_settings_of(service))
        dsn = settings.migrator_dsn.get_secret_value()
        done = asyncio.run(run_migrations(service.value, dsn, revision=revision, down=down))
        data = {
            "service": done.service,
            "before": done.before,
            "after": done.after,
            "seconds": round(done.seconds, 3),
        }
        show(data, f"{done.service}: {done.before or '空'} → {done.after or '空'}", as_json=as_json)


def _settings_of(service: Service) -> type[MigrationSettings]:
    class OneService(MigrationSettings):
        model_config = SettingsConfigDict(env_prefix=f"TONGBAN_{service.value.upper()}_")

    return OneService
