"""`tongban check-qr`: what an offline licence QR code states, checked with a published key file and no network."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from chassis.clock import CHINA_TIME, system_clock
from chassis.errors import Kind, declare
from chassis.tlog.held import HeldLog
from cli.output import AsJson, refusals, show
from cli.places import stack_home
from cli.transparency.held import held_log
from cli.trust import LOG_TRUST, PRESENTATION_KEYS

KEYS_UNREADABLE = declare(
    "KEYS_UNREADABLE",
    Kind.FAILED_PRECONDITION,
    "公钥文件 {file} 不存在或不是 JWKS",
    "The key file {file} is missing, or is no JWKS",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check-qr")(check_qr)


def check_qr(
    text: Annotated[str, typer.Argument(help="二维码文本,- 表示从标准输入读取 | Its text; - reads stdin.")],
    *,
    keys: Annotated[
        Path | None,
        typer.Option(help="公钥文件 | Key file, default presentation_keys.json of the trust directory."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            help="日志信任文件 | What is trusted of the log, default log_trust.json beside the key file."
        ),
    ] = None,
    log_key: Annotated[
        list[str] | None,
        typer.Option(
            "--log-key", help="日志及见证方验证密钥 | Verifier keys of log and witnesses, instead of a file."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """核验离线二维码 | Check an offline licence QR code without the network.

    Exit status 0: signed by a key of the file, not expired, and nothing of the log against it; 1: refused. What
    could not be judged of the log is said with its reason. A revocation after it was made cannot be known offline.
    """
    shown = sys.stdin.read().strip() if text == "-" else text
    with refusals(as_json=as_json):
        key_file = keys or stack_home() / "trust" / PRESENTATION_KEYS
        held = held_log(log_key, log or key_file.with_name(LOG_TRUST), needed=log is not None)
        stated = _stated(shown, key_file, held)
        show(stated, _table(stated), as_json=as_json)


def _stated(text: str, keys: Path, held: HeldLog) -> dict[str, Any]:
    from services.certs.app.offline import check_qr as checked  # noqa: PLC0415 - only this command needs it

    try:
        found, log = checked(text, keys.read_text(encoding="utf-8"), system_clock(), held)
    except (OSError, ValueError) as problem:
        raise KEYS_UNREADABLE(file=keys.name) from problem
    return {
        "type_code": found.type_code,
        "type_name": found.type_name,
        "identifier": found.identifier,
        "holder": found.holder_masked,
        "issuer_name": found.issuer_name,
        "status": found.status,
        "valid_until": found.valid_until,
        "stated_at": _local(found.issued_at),
        "expires_at": _local(found.expires_at),
        "licence_id": found.licence_id,
        "version": found.version,
        "log": log.standing.value,
        "log_index": log.index,
        "log_size": log.size,
        "logged_at": log.logged_at,
        "witnessed_at": {name: _local(at) for name, at in log.witnessed_at.items()},
        "log_compared_with": log.compared_with,
    }


def _local(at: datetime) -> str:
    return at.astimezone(CHINA_TIME).isoformat()


_LOG_WORDS = {
    "verified": "✓ 已核验,在所签日志中 | verified: in the signed log",
    "not_taken_yet": "尚未入日志(刚变更),无可核验 | not verifiable: the log has not taken this state yet, ask again in a minute",
    "no_log_key_held": "无法离线核验:本机没有日志公钥 | not verifiable offline: no key of the log is held here",
    "log_key_unknown": "无法离线核验:签名密钥不在本机信任文件中 | not verifiable offline: signed by a key that is not held here",
}


_NAMES = {
    "type_name": "证照类型 | type",
    "identifier": "证照标识 | identifier",
    "holder": "持证主体 | holder",
    "issuer_name": "颁发机构 | issuer",
    "status": "状态 | status",
    "valid_until": "有效期至 | valid until",
    "stated_at": "状态时间 | stated at",
    "expires_at": "二维码有效至 | code ends",
    "log": "透明日志 | transparency log",
    "log_index": "日志序号 | log index",
    "log_size": "检查点大小 | checkpoint size",
    "logged_at": "入日志的行为时间 | logged act of",
    "witnessed_at": "见证 | witnessed",
    "log_compared_with": "与本机检查点一致 | agrees with the held checkpoint of",
}


def _table(stated: dict[str, Any]) -> Table:
    table = Table("项 | item", "内容 | value", title="✓ 签名有效 | signature holds", title_justify="left")
    seen = ", ".join(f"{name} {at}" for name, at in stated["witnessed_at"].items())
    shown = stated | {"log": _LOG_WORDS[stated["log"]], "witnessed_at": seen}
    for name, label in _NAMES.items():
        if shown[name] not in {None, ""}:
            table.add_row(label, str(shown[name]))
    return table
