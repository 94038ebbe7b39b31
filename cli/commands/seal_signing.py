"""`tongban seals sign FILE…`: have documents sealed; interrupted or refused in part, the same again goes on."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from chassis.errors import FIELD_MALFORMED, refuse
from cli.clients.seal_desk import Signed
from cli.clients.seal_tasks import placements_of, request_id_of, seal_task
from cli.output import AsJson, refusals, show
from cli.places import stack_home
from cli.reach import seal_desk

EXIT_FILES_REFUSED = 3
SHOWN = 50


class Level(StrEnum):
    """The PAdES baseline level of PDFs."""

    B_B = "B-B"
    B_T = "B-T"
    B_LT = "B-LT"


def sign(
    files: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="OFD 或 PDF 文件 | Documents of one format."),
    ],
    *,
    seal: Annotated[str, typer.Option(help="印章编码 | Which seal.")],
    document: Annotated[str, typer.Option("--type", help="文书种类 | notice, decision, receipt, …")],
    item: Annotated[str, typer.Option(help="事项编码 | Service item.")],
    case: Annotated[str, typer.Option(help="办件编号 | Case.")] = "",
    reviewer: Annotated[str, typer.Option(help="用印人 | Who decides, where the grant names one.")] = "",
    at: Annotated[list[str] | None, typer.Option(help="位置 | PAGE,X,Y in millimetres.")] = None,
    every_page: Annotated[str, typer.Option(help="每页 | X,Y on every page.")] = "",
    riding: Annotated[str, typer.Option(help="骑缝 | OFFSET or OFFSET,EDGE.")] = "",
    keyword: Annotated[list[str] | None, typer.Option(help="关键字 | Centred on a word.")] = None,
    open_: Annotated[bool, typer.Option("--continue", help="允许续签 | Further seals may follow.")] = False,
    level: Annotated[Level, typer.Option(help="PDF 签名级别 | PAdES level.")] = Level.B_B,
    to: Annotated[Path, typer.Option(help="目录 | Where sealed documents are written.")] = Path("sealed"),
    request_id: Annotated[
        str, typer.Option(help="请求编号,默认由内容得出 | Default: from the content.")
    ] = "",
    department: Annotated[
        str, typer.Option(help="以部门身份,统一社会信用代码 | Act as a department, by its USCC.")
    ] = "",
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """签章 | Seal documents; exit status 3 when some were refused."""
    with refusals(as_json=as_json):
        formats = {each.suffix.lower() == ".pdf" for each in files}
        names = {each.name for each in files}  # each is written under its own
        refuse([FIELD_MALFORMED.at("files")] if len(formats) > 1 or len(names) < len(files) else [])
        task = seal_task(
            placements_of(at or [], every_page, riding, keyword or []),
            document_type=document,
            pdf_level=level.value if True in formats else "",
            is_open=open_,
            seal_id=seal,
            service_item=item,
            case_id=case,
            reviewer=reviewer,
        )
        request = request_id or request_id_of(task, [_item_id(each.read_bytes()) for each in files])
        done = asyncio.run(_sign(files, task, request, to, data_dir, department, quiet=as_json))
        refused = [each for each in done if each.reason]
        data: dict[str, Any] = {
            "request_id": request,
            "sealed": len(done) - len(refused),
            "refused": len(refused),
            "files": [asdict(each) for each in done],
        }
        show(data, _in_words(request, done, refused), as_json=as_json)
    if refused:
        raise typer.Exit(EXIT_FILES_REFUSED)


async def _sign(
    files: Sequence[Path],
    task: Any,
    request_id: str,
    to: Path,
    data_dir: Path | None,
    department: str,
    *,
    quiet: bool,
) -> list[Signed]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = []
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        bar = progress.add_task("签章 | sealing", total=len(files))
        async with seal_desk(stack_home(data_dir), department) as desk:
            async for each in desk.sign(files, task, request_id, lambda file: to / file.name, _item_id):
                done.append(each)
                progress.advance(bar)
    return done


def _item_id(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def _in_words(request_id: str, done: Sequence[Signed], refused: Sequence[Signed]) -> Group:
    said = f"已签章 {len(done) - len(refused)}，未签 {len(refused)} | sealed, refused  [{request_id}]"
    lines = [f"  {each.file}: {each.zh} | {each.en} [{each.reason}]" for each in refused[:SHOWN]]
    return Group(Text(said), Text("\n".join(lines)))
