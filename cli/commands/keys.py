"""`tongban keys`: rotate the keys of a service while it runs, wrap its data anew, take old keys out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from chassis.clock import system_clock
from chassis.rewrap import Rewrapped
from chassis.service import Runtime
from cli.commands.service import Service
from cli.keeping import key_files, registry_keys, rotation
from cli.local.layout import Layout
from cli.operating import open_service
from cli.output import EXIT_REFUSED, AsJson, refusals, show
from cli.places import stack_home


class What(StrEnum):
    """Which keys of a service."""

    FIELD = "field"
    TOKEN = "token"  # noqa: S105 - a name
    KEYSTORE = "keystore"
    PRESENTATION = "presentation"
    LOG = "log"
    REGISTRY = "registry"
    REPLICA = "replica"
    ROWS = "rows"
    """Not keys but what is computed with them: the integrity codes of rows; for `rewrap` only."""


_REGISTRY: dict[What, Callable[[Runtime, datetime], dict[str, Any]]] = {
    What.PRESENTATION: registry_keys.rotate_presentation_key,
    What.LOG: lambda runtime, _: registry_keys.rotate_log_key(runtime),
    What.REGISTRY: lambda runtime, _: registry_keys.rotate_registry_key(runtime),
    What.REPLICA: lambda runtime, _: registry_keys.rotate_replica_key(runtime),
}
_STATES = {
    "signs": "签名 | signs",
    "verifies": "仅验签 | verifies",
    "over": "已停用 | over",
    "announced": "已公布 | announced",
    "opens": "仅解密 | opens",
    "opens, is announced": "解密 | opens, is announced",
}
OfService = Annotated[Service, typer.Option("--service", help="服务 | Whose keys.")]
OneOrAll = Annotated[
    Service | None, typer.Option("--service", help="服务,默认全部 | Whose keys; default all.")
]
Which = Annotated[
    What,
    typer.Option(
        "--what",
        help="字段/令牌/密钥库/行校验/亮证/日志/登记库 | Field keys, intake's token key, seal's keystore, rows; certs' own.",
    ),
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")]
_progress = Console(stderr=True, highlight=False)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="密钥轮换 | Key rotation.")
    for command in (status, rotate, rewrap, retire):
        group.command()(command)
    app.add_typer(group, name="keys")


def status(*, service: OneOrAll = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """密钥现状 | Every key, its age, and how many values still need it."""
    with refusals(as_json=as_json):
        found = [_with(each, data_dir, _status) for each in ([service] if service else list(Service))]
        table = Table("服务 | service", "密钥 | key", "状态 | state", "天 | days", "所需内容 | needed by")
        for each in found:
            for key in each["field"]:
                state = "当前 | active" if key["active"] else "旧 | old"
                table.add_row(
                    each["service"], key["key_id"], state, _text(key["age_days"]), str(key["values"])
                )
            for key in each.get("token", ()):
                state = (
                    "签名 | signs"
                    if key["signs"]
                    else "验令牌 | opens"
                    if key["opens_tokens"]
                    else "仅验回执 | receipts"
                )
                table.add_row(each["service"], key["key_id"], state, "", "")
            for key in each.get("registry", ()):
                name = f"{key['key']} {key['key_id']}"
                table.add_row(each["service"], name, _STATES[key["state"]], "", "")
            if "keystore" in each:
                kept = each["keystore"]
                table.add_row(each["service"], "keystore", _text(kept["secrets"]), "", str(kept["older"]))
        show({"services": found}, table, as_json=as_json)


def rotate(
    *, service: OfService, what: Which = What.FIELD, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """轮换 | Add a key and use it from now on; running services notice within seconds."""

    async def work(runtime: Runtime) -> dict[str, Any]:
        now = system_clock()
        if what is What.TOKEN:
            key_id = key_files.rotate_token_key(*rotation.token_files(runtime), now)
        elif what in _REGISTRY:
            return {"service": runtime.service, "what": what.value, **_REGISTRY[what](runtime, now)}
        elif what is What.KEYSTORE:
            key_files.rotate_secret(rotation.keystore_file(runtime))
            key_id = "keystore"
        else:
            key_id = key_files.rotate_field_key(runtime.settings.field_keys, now).active
        return {"service": runtime.service, "what": what.value, "key_id": key_id}

    with refusals(as_json=as_json):
        done = _with(service, data_dir, work)
        words = f"新密钥 | new key: {done['service']} {done['key_id']}"
        if done.get("announced"):
            words += (
                "\n已公布，尚未启用 | announced, not used yet: tell whoever verifies, then run this again"
            )
        show(done, words, as_json=as_json)


def rewrap(
    *, service: OfService, what: Which = What.FIELD, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """重新加密 | Encrypt everything anew under the newest key; may be broken off and started again.

    With --what rows: once every process is of this release, rows of older ones get their integrity codes;
    from then on a row without one is an altered row.
    """

    def told(place: str, done: Rewrapped) -> None:
        _progress.print(f"{place}: {done.values} 项 | values, {done.files} 文件 | files", end="\r")

    async def work(runtime: Runtime) -> dict[str, Any]:
        if what is What.KEYSTORE:
            return {
                "service": runtime.service,
                "keys": await rotation.rewrap_keystore(runtime),
                "unreadable": 0,
            }
        if what is What.ROWS:
            given, without = await rotation.code_rows(runtime, system_clock())
            return {"service": runtime.service, "rows": given, "unreadable": without}
        if what is What.TOKEN or what in _REGISTRY:
            raise rotation.NOT_SIGNING(service=f"{runtime.service} (rewrap)")
        done = await rotation.rewrap_fields(runtime, None if as_json else told)
        return {
            "service": runtime.service,
            "values": done.values,
            "files": done.files,
            "unreadable": done.unreadable,
        }

    with refusals(as_json=as_json):
        done = _with(service, data_dir, work)
        words = ", ".join(f"{name} {value}" for name, value in done.items())
        show(done, f"已重新加密 | encrypted anew: {words}", as_json=as_json)
    if done["unreadable"]:
        raise typer.Exit(EXIT_REFUSED)


def retire(
    key_id: Annotated[
        str, typer.Argument(help="密钥编号 | Id of a field key; for the others what --what names.")
    ],
    *,
    service: OfService,
    what: Which = What.FIELD,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """停用旧密钥 | Take an old key out; refused while anything still needs it.

    For tokens: from now on only the present key opens any, for a key that became known.
    """

    async def work(runtime: Runtime) -> dict[str, Any]:
        now = system_clock()
        if what is What.TOKEN:
            key_files.revoke_token_keys(*rotation.token_files(runtime), now)
        elif what is What.PRESENTATION:
            registry_keys.revoke_presentation_keys(runtime, now)
        elif what is What.REPLICA:
            registry_keys.retire_replica_keys(runtime)
        elif what in _REGISTRY:
            raise rotation.NOT_SIGNING(service=f"{runtime.service} (retire)")
        elif what is What.KEYSTORE:
            await rotation.retire_keystore_secrets(runtime)
        else:
            await rotation.retire_field_key(runtime, key_id, now)
        return {"service": runtime.service, "what": what.value, "retired": key_id}

    with refusals(as_json=as_json):
        done = _with(service, data_dir, work)
        show(done, f"已停用 | retired: {done['service']} {key_id}", as_json=as_json)


async def _status(runtime: Runtime) -> dict[str, Any]:
    now = system_clock()
    found: dict[str, Any] = {"service": runtime.service, "field": await rotation.field_status(runtime, now)}
    if runtime.service == "intake":
        found["token"] = rotation.token_status(runtime, now)
    if runtime.service == "certs":
        found["registry"] = registry_keys.registry_status(runtime, now)
    if runtime.service == "seal":
        found["keystore"] = await rotation.keystore_status(runtime)
    return found


def _with(
    service: Service, data_dir: Path | None, work: Callable[[Runtime], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    async def opened() -> dict[str, Any]:
        async with open_service(service.value, Layout(stack_home(data_dir))) as found:
            return await work(found.runtime)

    return asyncio.run(opened())


def _text(value: object) -> str:
    return "–" if value is None else str(value)
