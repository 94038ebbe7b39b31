"""`tongban federation`: the registry among those of other deployments."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from chassis.bus import BusConfig
from cli.local.authority import open_authority
from cli.local.credentials import bus_app_dsn
from cli.local.layout import Layout
from cli.local.postgres import EmbeddedPostgres
from cli.local.state import read_state
from cli.output import AsJson, refusals, show
from cli.places import stack_home
from cli.transparency.places import log_origin as local_log_origin

if TYPE_CHECKING:
    from cli.federation.agreeing import Registry

if TYPE_CHECKING:
    from cli.federation.agreeing import Registry

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")]
Directory = Annotated[
    Path | None,
    typer.Option("--directory", help="互认目录(部署环境) | Federation directory of a deployment."),
]
Keys = Annotated[Path | None, typer.Option("--keys", help="certs 密钥目录 | Directory of certs' keys.")]
AuthorityDir = Annotated[
    Path | None, typer.Option("--authority", help="本方 CA 目录 | Directory of our authority.")
]
Origin = Annotated[str, typer.Option("--log-origin", help="日志名称 | The log's name in its checkpoints.")]
Divisions = Annotated[
    list[str] | None,
    typer.Option(help="对方代表的行政区划,默认为其编号中的 | Division it issues for; may be repeated."),
]
Types = Annotated[list[str] | None, typer.Option(help="证照类型代码 | Licence type code; may be repeated.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="跨区域证照互认 | Registries that know each other.")
    group.command("init")(init)
    group.command("mirror")(mirror)
    group.command("status")(status)
    group.command("restart")(restart)
    peer = typer.Typer(no_args_is_help=True, help="对方登记库 | Peers.")
    peer.command("export")(peer_export)
    peer.command("add")(peer_add)
    peer.command("list")(peer_list)
    group.add_typer(peer, name="peer")
    app.add_typer(group, name="federation")


def init(
    registry_id: Annotated[str, typer.Argument(help="行政区划代码-名称,如 361100-city | Division and name.")],
    *,
    name: Annotated[str, typer.Option(help="名称 | Name for people.")] = "",
    data_dir: DataDir = None,
    directory: Directory = None,
    keys: Keys = None,
    authority: AuthorityDir = None,
    as_json: AsJson = False,
) -> None:
    """命名本登记库 | Give this registry its id among others."""
    from cli.federation.agreeing import name_registry  # noqa: PLC0415 - loads what registries sign and encrypt with

    with refusals(as_json=as_json):
        name_registry(_registry(data_dir, directory, keys, authority), registry_id, name or registry_id)
        show({"registry_id": registry_id}, registry_id, as_json=as_json)


def peer_export(
    out: Annotated[Path, typer.Argument(help="写入的文件 | File to write.")],
    *,
    address: Annotated[str, typer.Option(help="本方 gRPC 地址 | host:port by which they ask us.")] = "",
    data_dir: DataDir = None,
    directory: Directory = None,
    keys: Keys = None,
    authority: AuthorityDir = None,
    log_origin: Origin = "",
    as_json: AsJson = False,
) -> None:
    """导出本方文件 | Write our signed file for a peer; tell its fingerprint over another way."""
    from cli.federation.agreeing import export_file  # noqa: PLC0415 - loads what registries sign and encrypt with

    with refusals(as_json=as_json):
        registry = _registry(data_dir, directory, keys, authority, log_origin)
        state = None if directory else read_state(Layout(stack_home(data_dir)).state_file)
        at = address or (state.services["certs"].grpc if state else "")
        signed, fingerprint = export_file(registry, at)
        out.write_text(signed + "\n", encoding="utf-8")
        show({"file": str(out), "fingerprint": fingerprint, "address": at}, fingerprint, as_json=as_json)


def peer_add(
    file: Annotated[Path, typer.Argument(help="对方文件 | The peer's file.", exists=True, dir_okay=False)],
    fingerprint: Annotated[
        str, typer.Option(help="经其他渠道核对的指纹 | Fingerprint told over another way.")
    ],
    *,
    send: Types = None,
    accept: Types = None,
    limit_seconds: Annotated[int, typer.Option(min=0, help="副本最长时限(秒) | Replica's age limit.")] = 0,
    issues_for: Divisions = None,
    data_dir: DataDir = None,
    directory: Directory = None,
    keys: Keys = None,
    authority: AuthorityDir = None,
    as_json: AsJson = False,
) -> None:
    """加入或更新对方 | Agree with a peer, or take its newer file."""
    from cli.federation.agreeing import add_peer  # noqa: PLC0415 - loads what registries sign and encrypt with

    with refusals(as_json=as_json):
        registry = _registry(data_dir, directory, keys, authority)
        text = file.read_text(encoding="utf-8")
        added = add_peer(
            registry, text, fingerprint, send or (), accept or (), limit_seconds, issues_for or ()
        )
        show({"registry_id": added}, added, as_json=as_json)


def peer_list(
    *,
    data_dir: DataDir = None,
    directory: Directory = None,
    keys: Keys = None,
    authority: AuthorityDir = None,
    as_json: AsJson = False,
) -> None:
    """对方列表 | With whom what was agreed."""
    from cli.federation.agreeing import agreements  # noqa: PLC0415 - loads what registries sign and encrypt with

    with refusals(as_json=as_json):
        found = agreements(_registry(data_dir, directory, keys, authority))
        table = Table("registry", "address", "send", "accept", "fingerprint")
        for each in found:
            told = (", ".join(each["send"]), ", ".join(each["accept"]), each["fingerprint"][:16])
            table.add_row(each["registry_id"], each["address"], *told)
        show({"agreements": found}, table if found else "—", as_json=as_json)


def status(*, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """副本状态 | How old each replica is, what was refused, whether a log forked."""
    from cli.reach import registry_operator  # noqa: PLC0415 - loads gRPC

    with refusals(as_json=as_json):
        found = asyncio.run(registry_operator(stack_home(data_dir)).replicas())
        table = Table("registry", "licences", "age s", "owed uses", "refused", "frozen")
        for each in found:
            age = f"{each['age_seconds']:.1f}" if each["as_of"] else "—"
            refused = ", ".join(f"{name} {times}" for name, times in each["refused"].items())
            frozen = each["frozen_cause"] or "—"
            table.add_row(
                each["registry_id"] or "?",
                str(each["licences"]),
                age,
                str(each["owed_uses"]),
                refused,
                frozen,
            )
        show({"replicas": found}, table, as_json=as_json)


def restart(
    registry_id: Annotated[str, typer.Argument(help="登记库 | Registry.")],
    reason: Annotated[str, typer.Option(help="理由 | Why its replica is filled anew.")],
    *,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """重建副本 | Forget a registry's replica and fill it anew, once people settled why its log forked."""
    from cli.reach import registry_operator  # noqa: PLC0415 - loads gRPC

    with refusals(as_json=as_json):
        asyncio.run(registry_operator(stack_home(data_dir)).restart(registry_id, reason))
        show({"registry_id": registry_id}, registry_id, as_json=as_json)


def mirror(
    *,
    source: Annotated[
        Path | None, typer.Option("--from", help="来源环境目录 | Home of the first stack.")
    ] = None,
    target: Annotated[Path | None, typer.Option("--to", help="目标环境目录 | Home of the second.")] = None,
    source_dsn: Annotated[
        Path | None, typer.Option("--from-dsn", help="来源总线 DSN 文件 | File with the first bus's DSN.")
    ] = None,
    target_dsn: Annotated[
        Path | None, typer.Option("--to-dsn", help="目标总线 DSN 文件 | File with the second bus's DSN.")
    ] = None,
    name: Annotated[str, typer.Option(help="目标名称 | The target's name, for the mirror's place.")] = "",
    ready_file: Annotated[
        Path | None, typer.Option("--ready-file", help="就绪文件 | Stands while running.")
    ] = None,
) -> None:
    """镜像副本主题 | Copy what one registry sends to the other's bus until told to stop."""
    from cli.federation.mirroring import Side  # noqa: PLC0415 - loads the bus
    from cli.federation.mirroring import mirror as run  # noqa: PLC0415

    with refusals(as_json=False):
        first = Side("source", _bus(source, source_dsn, "--from"))
        second = Side(name or _name(target), _bus(target, target_dsn, "--to"))

        async def serve() -> None:
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            await run(first, second, stop, ready_file)

        asyncio.run(serve())


def _registry(
    data_dir: Path | None,
    directory: Path | None,
    keys: Path | None,
    authority: Path | None,
    log_origin: str = "",
) -> Registry:
    from cli.federation.agreeing import Registry  # noqa: PLC0415

    layout = Layout(stack_home(data_dir))
    return Registry(
        directory or layout.federation,
        keys or layout.secrets("certs"),
        open_authority(authority or layout.certificates),
        log_origin or local_log_origin(layout),
        None if keys else layout.log_keys,
    )


def _bus(home: Path | None, dsn_file: Path | None, option: str) -> BusConfig:
    if dsn_file is not None:
        return BusConfig("postgres", "mirror", postgres_dsn=dsn_file.read_text().strip())
    if home is None:
        raise typer.BadParameter(option)
    layout = Layout(home.absolute())
    state = read_state(layout.state_file)
    if state is not None and state.bus == "kafka":
        return BusConfig("kafka", "mirror", kafka_bootstrap=state.kafka_bootstrap)
    server = EmbeddedPostgres(layout.postgres)
    return BusConfig("postgres", "mirror", postgres_dsn=bus_app_dsn(layout, server.server_dsn))


def _name(target: Path | None) -> str:
    """Return the target's id among registries. Raises REGISTRY_NOT_NAMED."""
    from cli.federation.agreeing import REGISTRY_NOT_NAMED, Registry  # noqa: PLC0415 - loads what registries sign and encrypt with

    if target is None:
        raise REGISTRY_NOT_NAMED()
    layout = Layout(target.absolute())
    registry = Registry(layout.federation, layout.secrets("certs"), open_authority(layout.certificates), "")
    return str(registry.read()["registry_id"])
