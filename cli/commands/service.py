"""`tongban serve` and `tongban migrate`: one service of a deployment, set up by environment and secrets."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer
from pydantic_settings import SettingsConfigDict
from rich.table import Table

from chassis.migrate import LOCK_TIMEOUT_MS, STATEMENT_TIMEOUT_MS, migration_sql
from chassis.migrate import migrate as run_migrations
from chassis.migration_plan import BLOCKS, Pending
from chassis.migration_plan import plan as planned
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
    plan: Annotated[
        bool, typer.Option("--plan", help="只显示待执行的迁移与锁 | Show what is pending and what it locks.")
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
        if plan:
            data = _planned(service.value, asyncio.run(planned(service.value, dsn)))
            show(data, _plan_table(data), as_json=as_json)
            return
        done = asyncio.run(run_migrations(service.value, dsn, revision=revision, down=down))
        data = {
            "service": done.service,
            "before": done.before,
            "after": done.after,
            "seconds": round(done.seconds, 3),
        }
        show(data, f"{done.service}: {done.before or '空'} → {done.after or '空'}", as_json=as_json)


def _planned(service: str, pending: tuple[Pending, ...]) -> dict[str, Any]:
    return {
        "service": service,
        "lock_timeout_ms": LOCK_TIMEOUT_MS,
        "statement_timeout_ms": STATEMENT_TIMEOUT_MS,
        "pending": [
            {
                "revision": each.step.revision,
                "code_floor": each.step.code_floor,
                "contracts": each.step.contracts,
                "statements": [
                    asdict(one) | {"blocks": BLOCKS[one.lock], "size_bytes": each.sizes_bytes.get(one.table)}
                    for one in each.statements
                ],
            }
            for each in pending
        ],
    }


def _plan_table(data: dict[str, Any]) -> Table:
    title = f"{data['service']}: 待执行 | pending {len(data['pending'])}, 锁等待 | lock wait {data['lock_timeout_ms']} ms"
    table = Table(
        "版本 | revision", "表 | table", "锁 | lock", "阻塞 | blocks", "MiB", "收缩 | takes away", title=title
    )
    for each in data["pending"]:
        for one in each["statements"]:
            size = "-" if one["size_bytes"] is None else f"{one['size_bytes'] / 1024**2:.1f}"
            table.add_row(each["revision"], one["table"], one["lock"], one["blocks"], size, one["takes_away"])
    return table


def _settings_of(service: Service) -> type[MigrationSettings]:
    class OneService(MigrationSettings):
        model_config = SettingsConfigDict(env_prefix=f"TONGBAN_{service.value.upper()}_")

    return OneService
