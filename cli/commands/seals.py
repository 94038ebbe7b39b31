"""`tongban seals`: apply for seals, decide, follow and change them, certificates of another authority, pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from chassis.errors import Kind, declare
from cli.clients.seal_office import SealOffice, certificates_of
from cli.commands import seal_uses
from cli.output import AsJson, refusals, show
from cli.places import stack_home
from cli.reach import seal_office

T = TypeVar("T")
DECISION = declare(
    "DECISION_WANTED",
    Kind.INVALID_ARGUMENT,
    "请指定 --approve 或 --reject 之一",
    "Say either --approve or --reject",
)
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")]
Reason = Annotated[str, typer.Option(help="理由 | Why.")]
Operator = Annotated[str, typer.Option(help="经办人 | Who does it.")]
ApplicationId = Annotated[str, typer.Argument(help="申请编号 | Which application.")]
SealId = Annotated[str, typer.Argument(help="印章编码 | Which seal.")]
_FILES = {"SM2-SM3": "sm2", "ECDSA-P256-SHA256": "p256"}


class SealKind(StrEnum):
    """What a seal is for."""

    OFFICIAL = "official"
    FINANCE = "finance"
    CONTRACT = "contract"
    SPECIAL = "special"
    ENTERPRISE = "enterprise"
    PERSONAL = "personal"


class SealState(StrEnum):
    """What an operator may have a seal become."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    LOST = "lost"
    REMADE = "remade"
    CANCELLED = "cancelled"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="电子印章 | E-seals, from application to cancellation.")
    commands: dict[str, Callable[..., None]] = {
        "apply": apply,
        "decide": decide,
        "withdraw": withdraw,
        "list": list_all,
        "status": status,
        "change": change,
        "csr": csr,
        "import-certificate": import_certificate,
        "picture": picture,
    }
    for name, command in commands.items():
        group.command(name)(command)
    seal_uses.add_to(group)
    app.add_typer(group, name="seals")


def apply(
    *,
    kind: Annotated[SealKind, typer.Option(help="种类 | Kind.")],
    owner: Annotated[str, typer.Option(help="所有者统一社会信用代码 | USCC of the owner.")],
    owner_name: Annotated[str, typer.Option(help="所有者名称 | Name of the owner.")],
    division: Annotated[str, typer.Option(help="行政区划,六位 | Division, six digits.")],
    name: Annotated[str, typer.Option(help="印文 | What the seal says.")],
    reason: Reason,
    operator: Operator,
    line: Annotated[str, typer.Option(help="用途行 | Purpose, in or below the middle.")] = "",
    number: Annotated[str, typer.Option(help="下弧编号 | Number on the lower arc.")] = "",
    picture: Annotated[Path | None, typer.Option(help="印模图片 | A picture instead of a drawing.")] = None,
    width_mm: Annotated[int, typer.Option(help="宽,毫米 | Width.")] = 0,
    height_mm: Annotated[int, typer.Option(help="高,毫米 | Height.")] = 0,
    replaces: Annotated[str, typer.Option(help="重制的挂失印章 | The lost seal it replaces.")] = "",
    external: Annotated[
        bool, typer.Option("--external", help="证书由其他机构签发 | Certificates of another CA.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """申请制章 | Apply for a seal."""
    wish = {
        "owner_code": owner, "owner_name": owner_name, "division": division, "name": name, "line": line,
        "number": number, "width_mm": width_mm, "height_mm": height_mm, "replaces": replaces,
        "external_certificates": external, "reason": reason, "operator": operator,
        "picture": picture.read_bytes() if picture else b"",
    }  # fmt: skip
    _show(lambda office: office.apply(kind.value, wish), data_dir, as_json=as_json)


def decide(
    application_id: ApplicationId,
    *,
    approve: Annotated[bool, typer.Option("--approve", help="同意 | Approve.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="不同意 | Reject.")] = False,
    reason: Reason,
    operator: Operator,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """审批制章申请 | Decide on an application; not the applicant."""
    with refusals(as_json=as_json):
        if approve is reject:
            raise DECISION()
    _show(
        lambda office: office.decide(application_id, approve=approve, reason=reason, operator=operator),
        data_dir,
        as_json=as_json,
    )


def withdraw(
    application_id: ApplicationId,
    *,
    reason: Reason,
    operator: Operator,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """撤回制章申请 | Withdraw an application whose seal is not made yet."""
    _show(lambda office: office.withdraw(application_id, reason, operator), data_dir, as_json=as_json)


def list_all(
    *,
    applications: Annotated[
        bool, typer.Option("--applications", help="列出申请 | Applications instead.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """列出印章或申请 | List seals, or applications."""
    with refusals(as_json=as_json):
        found = _ask(lambda office: office.applications() if applications else office.seals(), data_dir)
        word = "applications" if applications else "seals"
        key = "application_id" if applications else "seal_id"
        table = Table("编号 | id", "种类 | kind", "名称 | name", "所有者 | owner", "状态 | status")
        for each in found:
            table.add_row(each[key], each["kind"], each["name"], each["owner_code"], each["status"])
        show({word: found}, table, as_json=as_json)


def status(
    seal_id: SealId,
    *,
    at: Annotated[str | None, typer.Option(help="时间点 | A moment, RFC 3339; default: now.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """查询印章状态 | State of a seal at a moment."""
    _show(lambda office: office.status(seal_id, at), data_dir, as_json=as_json)


def change(
    seal_id: SealId,
    state: Annotated[SealState, typer.Argument(help="新状态 | The new state.")],
    *,
    reason: Reason,
    operator: Operator,
    second_person: Annotated[str, typer.Option(help="复核人 | The second person, where one is needed.")] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """变更印章状态 | Suspend, restore, report lost, cancel."""
    _show(
        lambda office: office.change(seal_id, state.value, reason, operator, second_person),
        data_dir,
        as_json=as_json,
    )


def csr(
    application_id: ApplicationId,
    *,
    to: Annotated[Path, typer.Option(help="目录 | Directory for the requests.")] = Path(),
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """导出证书请求 | Write the PKCS#10 requests of an approved application's keys."""
    with refusals(as_json=as_json):
        requests = _ask(lambda office: office.certificate_requests(application_id), data_dir)
        to.mkdir(parents=True, exist_ok=True)
        written = {suite: to / f"{application_id}-{_FILES.get(suite, suite)}.csr" for suite in requests}
        for suite, path in written.items():
            path.write_bytes(requests[suite])
        lines = "\n".join(map(str, written.values()))
        show({"requests": {suite: str(path) for suite, path in written.items()}}, lines, as_json=as_json)


def import_certificate(
    application_id: ApplicationId,
    *,
    sm2: Annotated[
        Path, typer.Option(help="SM2 证书及其上级,PEM 或 DER | SM2 certificate, then those above it.")
    ],
    p256: Annotated[
        Path | None, typer.Option(help="P-256 证书及其上级 | P-256 certificate, likewise.")
    ] = None,
    operator: Operator,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """导入签发的证书 | Import what a certification authority issued; every fault is named."""
    with refusals(as_json=as_json):
        given = {"SM2-SM3": sm2, **({"ECDSA-P256-SHA256": p256} if p256 else {})}
        certificates = {suite: certificates_of(path) for suite, path in given.items()}
    _show(
        lambda office: office.import_certificates(application_id, certificates, operator),
        data_dir,
        as_json=as_json,
    )


def picture(
    seal_id: SealId,
    *,
    to: Annotated[Path, typer.Option(help="文件 | File to write.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """取印模图片 | Write a seal's picture."""
    with refusals(as_json=as_json):
        data, width_mm, height_mm = _ask(lambda office: office.picture(seal_id), data_dir)
        to.write_bytes(data)
        found = {"file": str(to), "bytes": len(data), "width_mm": width_mm, "height_mm": height_mm}
        show(found, f"{to}: {width_mm} × {height_mm} mm", as_json=as_json)


def _show(
    call: Callable[[SealOffice], Awaitable[dict[str, Any]]], data_dir: Path | None, *, as_json: bool
) -> None:
    with refusals(as_json=as_json):
        found = _ask(call, data_dir)
        table = Table(show_header=False)
        for name, value in found.items():
            if value not in {"", False}:
                table.add_row(name, str(value))
        show(found, table, as_json=as_json)


def _ask(call: Callable[[SealOffice], Awaitable[T]], data_dir: Path | None) -> T:
    async def work() -> T:
        async with seal_office(stack_home(data_dir)) as office:
            return await call(office)

    return asyncio.run(work())
