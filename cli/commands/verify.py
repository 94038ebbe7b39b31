"""`tongban verify`: what holds of sealed documents, receipts and archive packages; offline, or by the service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.progress import track
from rich.table import Table
from rich.text import Text

from chassis.clock import system_clock
from cli.output import AsJson, refusals, show
from cli.places import stack_home
from cli.reach import seal_verifier
from cli.verification import Check, Judged, Report, verify_file, worst

EXIT_STATUS = {"VALID": 0, "INVALID": 1}
EXIT_UNDECIDED = 2
_COLOURS = {"valid": "green", "invalid": "red", "indeterminate": "yellow"}
_SIGNS = {
    "valid": "✓ 通过 | valid",
    "invalid": "✗ 不通过 | invalid",
    "indeterminate": "? 无法确定 | undecided",
    "not_applicable": "– 不适用 | n/a",
}
_VERDICTS = {
    "VALID": "✓ 有效",
    "INVALID": "✗ 无效",
    "INDETERMINATE": "? 无法确定",
    "UNSIGNED": "– 没有签章",
}
_NAMES = {
    "container": "文件结构",
    "references": "保护清单",
    "digests": "文件摘要",
    "signature": "签名值",
    "certlist": "签章人在印章中",
    "seal_signature": "制章人签名",
    "seal_validity": "印章有效期",
    "maker_chain": "制章人证书",
    "signer_chain": "签章人证书",
    "revocation": "证书吊销",
    "timestamp": "时间戳",
    "seal_status": "印章状态",
    "coverage": "保护范围",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(
    files: Annotated[list[Path], typer.Argument(help="文件 | .ofd, .pdf, receipt .json, archive .zip.")],
    *,
    trust: Annotated[
        Path | None, typer.Option(help="信任材料目录 | Trust directory, default ./.tongban/trust.")
    ] = None,
    online: Annotated[
        bool, typer.Option("--online", help="由签章服务核验 | Sealed documents by the running service.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """验证 | Verify, check by check, offline unless told otherwise.

    Exit status 0: all VALID; 1: one is INVALID, or the service refused; 2: one cannot be decided or is unsigned.
    """
    home = data_dir or stack_home()
    with refusals(as_json=as_json):
        reports = _judge(files, trust or home / "trust", home if online else None)
    verdict = worst(each.verdict for each in reports)
    show(_data(files, reports, verdict), render(files, reports, verdict), as_json=as_json)
    raise typer.Exit(EXIT_STATUS.get(verdict, EXIT_UNDECIDED))


def _judge(files: Sequence[Path], trust: Path, online_home: Path | None) -> list[Report]:
    """Return a report for each file; progress goes to standard error. Raises what the service refuses with."""
    service = seal_verifier(online_home) if online_home else None

    def ask(content: bytes) -> dict[str, Any]:
        assert service is not None
        return asyncio.run(service.verify(content))

    errors = Console(stderr=True)
    waiting: Iterable[Path] = files
    if len(files) > 1:
        waiting = track(
            files, "核验 | verifying", console=errors, disable=not errors.is_terminal, transient=True
        )
    return [verify_file(path, trust, system_clock(), ask if service else None) for path in waiting]


def _data(files: Sequence[Path], reports: Sequence[Report], verdict: str) -> dict[str, Any]:
    if len(reports) == 1:
        return reports[0].data()
    each = [{"file": str(path), **report.data()} for path, report in zip(files, reports, strict=True)]
    return {"verdict": verdict, "files": each}


def render(files: Sequence[Path], reports: Sequence[Report], verdict: str) -> RenderableType:
    """Return the plan of each signature as a numbered table, and the verdicts."""
    parts: list[RenderableType] = []
    for path, report in zip(files, reports, strict=True):
        for signature in report.signatures:
            parts += _signature(signature)
        parts.append(_verdict(report.verdict, "" if len(reports) == 1 else f"{path.name}: "))
    if len(reports) > 1:
        parts.append(_verdict(verdict, "全部 | all: "))
    return Group(*parts)


def _signature(signature: Judged) -> list[RenderableType]:
    title = " · ".join(filter(None, (signature.of, signature.by, signature.verdict)))
    found: list[RenderableType] = [_table(title, signature.checks)]
    if signature.now_verdict not in {"", signature.verdict}:
        found.append(_table(f"现在 | now: {signature.now_verdict}", signature.now_checks))
    told = signature.told
    times = [
        ("签章时间 | stated", "signed_at"),
        ("可证明 | proved", "proved_at"),
        ("签章人 | signer", "signer"),
    ]
    lines = [f"{name}: {told[key]}" for name, key in times if key in told]
    lines += [f"· {note['zh']} | {note['en']} {note['detail']}".rstrip() for note in told.get("notes", ())]
    if "coverage" in told:
        covered = told["coverage"]
        lines.append(f"受保护页 | pages protected: {len(covered['protected_pages'])}/{covered['pages']}")
    return [*found, Text("\n".join(lines))] if lines else found


def _table(title: str, checks: Sequence[Check]) -> Table:
    table = Table(
        "#",
        "检查 | check",
        "结果 | result",
        "说明 | detail",
        "依据 | clause",
        title=title,
        title_justify="left",
    )
    for number, check in enumerate(checks, start=1):
        sign = Text(_SIGNS.get(check.result, check.result), style=_COLOURS.get(check.result, ""))
        name = " ".join(filter(None, (_NAMES.get(check.name, ""), check.name)))
        table.add_row(str(number), name, sign, Text(check.detail or check.reason), Text(check.clause))
    return table


def _verdict(verdict: str, before: str) -> Text:
    colour = _COLOURS.get(verdict.lower(), "yellow")
    return Text(f"{before}{_VERDICTS.get(verdict, '')} {verdict}", style=f"bold {colour}")
