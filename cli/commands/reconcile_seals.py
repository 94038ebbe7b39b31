"""`tongban reconcile seals`: every signature has its row in the ledger of seal uses, and every row its signature."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from chassis.clock import system_clock
from chassis.files import DirectoryStore, KeptFiles
from cli.local.layout import Layout
from cli.operations.cut import connect
from cli.operations.places import Places, find_places, reading_keys
from cli.operations.reconciling.seals import SealPlaces, SealReport, reconcile_seals
from cli.output import EXIT_REFUSED, AsJson, refusals, show
from cli.places import stack_home

STORE = "certs/documents"
SETTLE_SECONDS = 300.0
SHOWN = 100


def reconcile_seals_command(
    *,
    settle_seconds: Annotated[
        float, typer.Option(min=0, help="容许在途时间 | How long a licence may be on its way.")
    ] = SETTLE_SECONDS,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """用印对账 | Compare the whole ledger of seal uses with the signatures in the documents and the licence store."""
    layout = Layout(stack_home(data_dir))
    with refusals(as_json=as_json):
        keys = {service: reading_keys(layout, service) for service in ("seal", "certs")}
        settle = timedelta(seconds=settle_seconds)
        report = asyncio.run(compare(find_places(layout), keys, settle, quiet=as_json))
        show(_described(report), _in_words(report), as_json=as_json)
    if report.discrepancies:
        raise typer.Exit(EXIT_REFUSED)


async def compare(places: Places, keys: Mapping[str, Path], settle: timedelta, *, quiet: bool) -> SealReport:
    """Return what differs between the ledger and the documents of these places; field keys by service.

    Raises PEER_UNAVAILABLE, KEYRING_MALFORMED.
    """
    from services.seal.app.documents import StoredDocuments  # noqa: PLC0415 - loads cryptography

    own, licences = StoredDocuments(keys["seal"]), StoredDocuments(keys["certs"], "certs")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with AsyncExitStack() as opened:
        to = {}
        for database in ("seal", "certs"):
            to[database] = await connect(places.server_dsn, database)
            opened.push_async_callback(to[database].close)
            await to[database].execute("set default_transaction_read_only = on")
        progress = opened.enter_context(Progress(*columns, console=Console(stderr=True), disable=quiet))
        total = await to["seal"].fetchval("select count(*) from seal_use where outcome = 'sealed'")
        total += await to["certs"].fetchval("select count(*) from licence where sealed_sha256 <> ''")
        total += await to["certs"].fetchval("select count(*) from licence_pdf where state = 'sealed'")
        task = progress.add_task("用印记录 | ledger", total=total)
        compared = SealPlaces(to["seal"], to["certs"], own.digests, licences.digests, _reader(places))
        return await reconcile_seals(
            compared, system_clock() - settle, lambda count: progress.advance(task, count)
        )


def _reader(places: Places) -> Callable[[str], bytes]:
    kept: KeptFiles = (
        places.objects[STORE] if STORE in places.objects else DirectoryStore(places.stores[STORE])
    )
    return kept.stored


def _described(report: SealReport) -> dict[str, Any]:
    return dataclasses.asdict(report) | {"equal": not report.discrepancies}


def _in_words(report: SealReport) -> Group:
    counts = Table("用印记录 | rows", "文件 | documents", "签名 | signatures", "证照 | licences", "PDF")
    counts.add_row(
        *map(str, (report.rows, report.documents, report.signatures, report.licences, report.pdfs))
    )
    lines = [f"{each.kind} {each.named} {each.detail}" for each in report.discrepancies[:SHOWN]]
    if len(report.discrepancies) > SHOWN:
        lines.append(f"… {len(report.discrepancies) - SHOWN}")
    return Group(counts, Text("\n".join(lines) or "记录与签名一致 | ledger and signatures agree"))
