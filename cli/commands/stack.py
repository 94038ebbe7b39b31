"""`tongban up`, `down`, `status`, `restart`: the local stack."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.local.control import Wanted, await_ready, run_detached, running, start, stop
from cli.local.health import bus_lag, serving
from cli.local.layout import SEAL_SIGNER, SEAL_TSA, SERVICES, Layout
from cli.local.processes import memory
from cli.local.restarts import restart as restart_services
from cli.local.run import run_stack
from cli.local.state import Running, StackState
from cli.output import EXIT_REFUSED, AsJson, refusals, show
from cli.places import catalogue_dir, stack_home


class BusKind(StrEnum):
    """The two transports."""

    POSTGRES = "postgres"
    KAFKA = "kafka"


DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack, default ./.tongban.")
]


class Restarted(StrEnum):
    """What a rolling restart replaces, in this order: the signer, the time-stamping authority, then the services."""

    SEALSIGNER = SEAL_SIGNER
    TSA = SEAL_TSA
    INTAKE = "intake"
    CERTS = "certs"
    SEAL = "seal"
    NOTIFY = "notify"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(restart)


def up(
    *,
    bus: Annotated[BusKind, typer.Option(help="消息总线 | Event bus.")] = BusKind.POSTGRES,
    kafka_bootstrap: Annotated[
        str | None, typer.Option(help="已有 Kafka 地址 | An existing Kafka instead of a local one.")
    ] = None,
    data_dir: DataDir = None,
    catalogue: Annotated[Path | None, typer.Option(help="事项目录 | Catalogue directory.")] = None,
    ports_from: Annotated[int | None, typer.Option(help="起始端口 | First of eight ports.")] = None,
    intake_http: Annotated[int | None, typer.Option(help="页面端口 | Port of intake's pages.")] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="前台运行 | Stay attached.")] = False,
    as_json: AsJson = False,
) -> None:
    """启动本地服务 | Start the local stack and return when all of it is ready."""
    layout = Layout(stack_home(data_dir))
    wanted = Wanted(
        (catalogue or catalogue_dir()).absolute(), bus.value, kafka_bootstrap, ports_from, intake_http
    )
    with refusals(as_json=as_json):
        if foreground:
            start(layout, wanted, lambda _layout: None)
            _attached(layout, as_json=as_json)
        else:
            start(layout, wanted, run_detached)
            _print_addresses(layout, await_ready(layout), as_json=as_json)


def down(*, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """停止本地服务 | Stop the local stack; its data stays."""
    layout = Layout(stack_home(data_dir))
    with refusals(as_json=as_json):
        stop(layout)
        show({"state": "stopped", "home": str(layout.home)}, "已停止 | stopped", as_json=as_json)


def status(*, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """查看本地服务 | Show each process, its readiness, memory and bus lag; status 1 unless all is well."""
    layout = Layout(stack_home(data_dir))
    with refusals(as_json=as_json):
        state = running(layout)
        health, lag = asyncio.run(_ask(layout, state))
        everyone = ({"supervisor": state.supervisor} if state.supervisor else {}) | state.processes
        held = memory(each.pid for each in everyone.values())
        rows = [
            _row(layout, name, each, serves=health.get(name, True), lag_events=(lag or {}).get(name))
            for name, each in everyone.items()
        ]
        well = state.state == "ready" and all(row["ready"] for row in rows)
        data = {
            "state": state.state,
            "ready": well,
            "bus": state.bus,
            "started_seconds": state.started_seconds,
            "processes": rows,
            "rss_bytes": held.rss_bytes,
            "pss_bytes": held.pss_bytes,
            "bus_lag_events": None if lag is None else sum(lag.values()),
        }
        show(data, _status_table(data), as_json=as_json)
    if not well:
        raise typer.Exit(EXIT_REFUSED)


def restart(
    services: Annotated[
        list[Restarted] | None, typer.Argument(help="服务,默认全部 | Which services; all of them by default.")
    ] = None,
    *,
    rolling: Annotated[
        bool, typer.Option("--rolling", help="逐个替换,不中断服务 | One at a time, without a gap.")
    ] = True,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """滚动重启 | Replace services one at a time: the successor serves before the old process drains."""
    del rolling  # there is no other way; the word is for the reader of a runbook
    layout = Layout(stack_home(data_dir))
    with refusals(as_json=as_json):
        running(layout)
        seconds = restart_services(layout, [each.value for each in services or Restarted])
        words = ", ".join(f"{name} {took:.1f} s" for name, took in seconds.items())
        show({"restarted_seconds": seconds}, f"已重启 | restarted: {words}", as_json=as_json)


async def _ask(layout: Layout, state: StackState) -> tuple[dict[str, bool], dict[str, int] | None]:
    health, lag = await asyncio.gather(serving(layout, state), bus_lag(layout, state))
    return health, lag


def _attached(layout: Layout, *, as_json: bool) -> None:
    """Run the stack in this process until it is interrupted."""
    result = asyncio.run(run_stack(layout, lambda state: _print_addresses(layout, state, as_json=as_json)))
    if result:
        await_ready(layout)  # tells why it is not


def _print_addresses(layout: Layout, state: StackState, *, as_json: bool) -> None:
    data = {
        "state": state.state,
        "home": str(layout.home),
        "bus": state.bus,
        "kafka_bootstrap": state.kafka_bootstrap,
        "started_seconds": state.started_seconds,
        "services": {
            name: {"http": f"http://{at.http}", "grpc": at.grpc} for name, at in state.services.items()
        },
    }
    title = f"通办已就绪 | ready in {state.started_seconds} s, bus: {state.bus}"
    table = Table("服务 | service", "HTTP", "gRPC (mTLS)", title=title)
    for name, at in state.services.items():
        table.add_row(name, f"http://{at.http}", at.grpc)
    show(data, table, as_json=as_json)


def _row(
    layout: Layout, name: str, process: Running, *, serves: bool, lag_events: int | None
) -> dict[str, Any]:
    alive = process.process.alive()
    marked = name not in {*SERVICES, SEAL_SIGNER, SEAL_TSA} or layout.ready(name).is_file()
    return {
        "name": name,
        "pid": process.pid,
        "ready": alive and marked and serves,
        "restarts": process.restarts,
        "rss_bytes": memory([process.pid], descendants=name != "supervisor").rss_bytes,
        "lag_events": lag_events,
    }


def _status_table(data: dict[str, Any]) -> Table:
    mebibytes = data["pss_bytes"] / 1024**2
    title = f"{data['state']} · bus {data['bus']} · 内存 | memory {mebibytes:.0f} MiB"
    table = Table(
        "进程 | process", "pid", "就绪 | ready", "重启 | restarts", "RSS MiB", "积压 | lag", title=title
    )
    for row in data["processes"]:
        table.add_row(
            row["name"],
            str(row["pid"]),
            "✓" if row["ready"] else "✗",
            str(row["restarts"]),
            f"{row['rss_bytes'] / 1024**2:.0f}",
            "-" if row["lag_events"] is None else str(row["lag_events"]),
        )
    return table
