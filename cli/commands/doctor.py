"""`tongban doctor`: everything that is wrong at once, with the machine, a local stack or a deployment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from chassis.errors import Fault
from chassis.settings import DEFAULT_SECRETS_DIR, SECRETS_DIR_VARIABLE, ServiceSettings
from cli.keeping import findings as known
from cli.keeping.findings import Finding, Severity
from cli.keeping.machine import check_calendar, check_door, check_kafka_tools, check_machine
from cli.keeping.service_checks import check_service
from cli.local.layout import SERVICES, Layout
from cli.local.state import read_state
from cli.operating import take_settings
from cli.output import EXIT_REFUSED, AsJson, show
from cli.places import catalogue_dir, stack_home

_MARKS = {Severity.OK: "✓", Severity.INFO: "·", Severity.WARNING: "!", Severity.ERROR: "✗"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    *,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """体检 | Name everything that is wrong, and what to do; exit status 1 when something must be mended.

    Looks at the machine, and at every service whose settings it finds: those of a running local stack, or of a
    deployment in the environment and the secret files.
    """
    layout = Layout(stack_home(data_dir))
    findings = list(_all(layout))
    ok = not any(each.severity is Severity.ERROR for each in findings)
    table = Table("检查 | check", "结果 | result", "详情 | found", "处理 | what to do")
    for each in findings:
        plain = each.plain()
        advice = f"{plain['do_zh']}\n{plain['do_en']} [{plain['code']}]" if plain["code"] else ""
        table.add_row(each.name, _MARKS[each.severity], each.found, advice.replace("[", "\\["))
    show({"ok": ok, "checks": [each.plain() for each in findings]}, table, as_json=as_json)
    if not ok:
        raise typer.Exit(EXIT_REFUSED)


def _all(layout: Layout) -> Iterator[Finding]:
    state = read_state(layout.state_file)
    running = state is not None and state.supervised
    deployed = [service for service in SERVICES if _told_of(service)]
    if deployed and not running:
        yield check_calendar(catalogue_dir())
    else:
        yield from check_machine(layout.home)
        yield from check_kafka_tools()
    if state is not None and running:
        for service, at in state.services.items():
            for kind, address in (("grpc", at.grpc), ("http", at.http)):
                yield check_door(f"{service} {kind}", address.rpartition("/")[2], expected=True)
    for service in SERVICES if running else deployed:
        yield from _service(service, layout, looks_at_door=not running)


def _service(service: str, layout: Layout, *, looks_at_door: bool) -> list[Finding]:
    try:
        take_settings(service, layout)
        found: Any = getattr(import_module(f"services.{service}.settings"), f"{service.title()}Settings")
        settings: ServiceSettings = found()
    except Fault as fault:
        return [
            Finding(f"{service} {each.field_path}", Severity.ERROR, each.en, known.SETTINGS)
            for each in fault.violations
        ] or [Finding(f"{service} settings", Severity.ERROR, fault.en, known.SETTINGS)]
    address = getattr(settings, f"{service}_address", None) or f"{settings.grpc_host}:{settings.grpc_port}"
    door = [check_door(f"{service} grpc", address, expected=True)] if looks_at_door else []
    return [*door, *asyncio.run(check_service(service, settings))]


def _told_of(service: str) -> bool:
    """Whether the environment or the secret files have a database for the service."""
    variable = f"TONGBAN_{service.upper()}_DATABASE_DSN"
    directory = Path(os.environ.get(SECRETS_DIR_VARIABLE, DEFAULT_SECRETS_DIR))
    return variable in os.environ or (directory / variable.lower()).is_file()
