"""`tongban seals grant|rules|approve-use|uses`: who may use a seal, how often, and what it was used for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from chassis.errors import FIELD_MALFORMED, refuse
from cli.clients.seal_desk import SealDesk
from cli.commands.seal_signing import sign
from cli.output import AsJson, refusals, show
from cli.places import stack_home
from cli.reach import seal_desk

T = TypeVar("T")
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")]
Department = Annotated[
    str, typer.Option(help="以部门身份,统一社会信用代码 | Act as a department, by its USCC.")
]
Reason = Annotated[str, typer.Option(help="理由 | Why.")]
Operator = Annotated[str, typer.Option(help="经办人 | Who does it.")]
Second = Annotated[str, typer.Option(help="复核人 | The second person.")]
SealId = Annotated[str, typer.Argument(help="印章编码 | Which seal.")]


class DocumentWord(StrEnum):
    """What a seal is put under."""

    LICENCE = "licence"
    NOTICE = "notice"
    DECISION = "decision"
    RECEIPT = "receipt"
    CERTIFICATE = "certificate"
    CONTRACT = "contract"
    OTHER = "other"


def add_to(group: typer.Typer) -> None:
    """Add the commands to `tongban seals`."""
    commands: dict[str, Callable[..., None]] = {
        "grant": grant,
        "grants": grants,
        "withdraw-grant": withdraw_grant,
        "rules": rules,
        "approve-use": approve_use,
        "uses": uses,
        "sign": sign,
    }
    for name, command in commands.items():
        group.command(name)(command)


def grant(
    seal_id: SealId,
    *,
    to: Annotated[
        str,
        typer.Option(help="被授权方 | department/USCC, service/certs, operator/NAME or reviewer/NAME."),
    ],
    document: Annotated[DocumentWord, typer.Option("--type", help="文书种类 | Kind of document.")],
    item: Annotated[str, typer.Option(help="事项编码,默认全部 | Service item; default: every.")] = "",
    case: Annotated[str, typer.Option(help="办件编号 | Case; default: every.")] = "",
    until: Annotated[str | None, typer.Option(help="截止,RFC 3339 | End; default: none.")] = None,
    operator: Operator,
    second_person: Second,
    reason: Reason,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """授权用印 | Grant the use of a seal."""
    kind, _, grantee = to.partition("/")
    said = {"seal_id": seal_id, "grantee": grantee, "service_item": item, "case_id": case,
            "operator": operator, "second_person": second_person, "reason": reason}  # fmt: skip

    async def call(desk: SealDesk) -> dict[str, Any]:
        refuse(
            [] if kind in {"department", "service", "operator", "reviewer"} else [FIELD_MALFORMED.at("--to")]
        )
        return await desk.grant(kind, document.value, until, **said)

    _show(call, data_dir, as_json=as_json)


def grants(
    seal_id: SealId,
    *,
    department: Department = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """列出授权 | Every grant of a seal, ended ones too."""
    with refusals(as_json=as_json):
        found = ask(lambda desk: desk.grants(seal_id), data_dir, department)
        table = Table(
            "编号 | id", "被授权方 | to", "文书 | type", "事项 | item", "办件 | case", "状态 | state"
        )
        for each in found:
            state = "已撤回 | withdrawn" if each.get("withdrawn_at") else each.get("valid_until", "-")
            to = f"{each['grantee_kind']}/{each['grantee']}"
            row = (each["grant_id"], to, each["document_type"], each["service_item"], each["case_id"], state)
            table.add_row(*row)
        show({"grants": found}, table, as_json=as_json)


def withdraw_grant(
    seal_id: SealId,
    grant_id: Annotated[str, typer.Argument(help="授权编号 | Which grant.")],
    *,
    operator: Operator,
    reason: Reason,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """撤回授权 | End a grant, the seal's own for licences too."""
    said = {"seal_id": seal_id, "grant_id": grant_id, "operator": operator, "reason": reason}
    _show(lambda desk: desk.withdraw(**said), data_dir, as_json=as_json)


def rules(
    seal_id: SealId,
    *,
    quorum: Annotated[int | None, typer.Option(help="审批人数 | Approvers for each document.")] = None,
    daily_limit: Annotated[int | None, typer.Option(help="每日上限 | Uses a day; 0: no limit.")] = None,
    burst_limit: Annotated[int | None, typer.Option(help="每分钟上限 | Uses in 60 s; 0: no limit.")] = None,
    operator: Operator = "",
    second_person: Second = "",
    reason: Reason = "",
    department: Department = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """用印规则 | Show a seal's rules, or change those that are given."""
    numbers = {"quorum": quorum, "daily_limit": daily_limit, "burst_limit": burst_limit}
    changed = {name: value for name, value in numbers.items() if value is not None}
    said = {"operator": operator, "second_person": second_person, "reason": reason}
    _show(
        lambda desk: desk.change_rules(seal_id, changed, **said) if changed else desk.rules(seal_id),
        data_dir,
        department,
        as_json=as_json,
    )


def approve_use(
    seal_id: SealId,
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="待签章文件 | The document as it is to be sealed."),
    ],
    *,
    approver: Annotated[str, typer.Option(help="审批人 | Who approves.")],
    note: Annotated[str, typer.Option(help="意见 | A note.")] = "",
    department: Department = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """审批用印 | Approve the use of a seal under one document."""

    async def call(desk: SealDesk) -> dict[str, Any]:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        done = await desk.approve(seal_id=seal_id, document_sha256=digest, approver=approver, note=note)
        return {"document_sha256": digest, **done}

    _show(call, data_dir, department, as_json=as_json)


def uses(
    *,
    seal: Annotated[str, typer.Option(help="印章编码 | Of one seal.")] = "",
    document: Annotated[
        DocumentWord | None, typer.Option("--type", help="文书种类 | Of one kind of document.")
    ] = None,
    case: Annotated[str, typer.Option(help="办件编号 | Of one case.")] = "",
    refused: Annotated[bool, typer.Option("--refused", help="仅未成的 | Refusals only.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="条数 | How many.")] = 50,
    department: Department = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """用印记录 | The newest uses of seals, refused ones too."""
    with refusals(as_json=as_json):
        word = document.value if document else ""
        found = ask(
            lambda desk: desk.uses(limit, word, seal_id=seal, case_id=case, refused_only=refused),
            data_dir,
            department,
        )
        table = Table("序号 | no", "时间 | at", "印章 | seal", "文书 | type", "调用方 | by", "结果 | outcome")
        for each in found:
            detail = each.get("detail") or {}
            by = detail.get("account", "")
            row = (each["sequence"], each["used_at"], each["seal_id"], detail.get("document_type", ""), by)
            table.add_row(*row, each["outcome"])
        show({"uses": found}, table, as_json=as_json)


def ask(call: Callable[[SealDesk], Awaitable[T]], data_dir: Path | None, department: str = "") -> T:
    """Return what the service answers, asked as an operator or a department."""

    async def work() -> T:
        async with seal_desk(stack_home(data_dir), department) as desk:
            return await call(desk)

    return asyncio.run(work())


def _show(
    call: Callable[[SealDesk], Awaitable[dict[str, Any]]],
    data_dir: Path | None,
    department: str = "",
    *,
    as_json: bool,
) -> None:
    with refusals(as_json=as_json):
        found = ask(call, data_dir, department)
        table = Table(show_header=False)
        for name, value in found.items():
            if value not in {"", False}:
                table.add_row(name, str(value))
        show(found, table, as_json=as_json)
