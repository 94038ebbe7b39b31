"""`tongban check-qr`: what an offline licence QR code states, checked with a published key file and no network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from chassis.clock import CHINA_TIME, system_clock
from chassis.errors import Kind, declare
from cli.output import AsJson, refusals, show
from cli.places import stack_home
from cli.trust import PRESENTATION_KEYS

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
    as_json: AsJson = False,
) -> None:
    """核验离线二维码 | Check an offline licence QR code without the network.

    Exit status 0: signed by a key of the file and not expired; 1: refused. A revocation after it was made
    cannot be known offline.
    """
    shown = sys.stdin.read().strip() if text == "-" else text
    with refusals(as_json=as_json):
        stated = _stated(shown, keys or stack_home() / "trust" / PRESENTATION_KEYS)
        show(stated, _table(stated), as_json=as_json)


def _stated(text: str, keys: Path) -> dict[str, Any]:
    from services.certs.app.offline import check_qr as checked  # noqa: PLC0415 - only this command needs it

    try:
        found = checked(text, keys.read_text(encoding="utf-8"), system_clock())
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
        "stated_at": found.issued_at.astimezone(CHINA_TIME).isoformat(),
        "expires_at": found.expires_at.astimezone(CHINA_TIME).isoformat(),
        "licence_id": found.licence_id,
        "version": found.version,
        "log_index": found.log.index if found.log else None,
        "log_size": found.log.tree_size if found.log else None,
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
    "log_index": "日志序号 | log index",
}


def _table(stated: dict[str, Any]) -> Table:
    table = Table("项 | item", "内容 | value", title="✓ 签名有效 | signature holds", title_justify="left")
    for name, label in _NAMES.items():
        if stated[name] not in {None, ""}:
            table.add_row(label, str(stated[name]))
    return table
