"""`tongban log`: the registry's transparency log recomputed and proved. Exit status 1 when something is wrong."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console, Group
from rich.table import Column, Table
from rich.text import Text

from chassis.clock import system_clock
from chassis.errors import Fault, Kind, declare
from chassis.tlog.alignment import Finding
from chassis.tlog.audit import Verdict, audit
from chassis.tlog.checkpoint import open_checkpoint
from chassis.tlog.held import HeldLog
from chassis.tlog.keys import read_verifiers
from chassis.tlog.note import COSIGNATURE, Verifier
from chassis.tlog.tree import is_consistent, is_included, leaf_hash
from cli.clients.transparency import Auditor
from cli.local.layout import LOG_WITNESS, Layout
from cli.operations.faults import KEYRING_NOT_GIVEN
from cli.operations.places import find_places, reading_keys
from cli.output import EXIT_REFUSED, AsJson, refusals, show
from cli.places import stack_home
from cli.reach import log_auditor
from cli.transparency.export import keep_verdict, read_export, write_export
from cli.transparency.held import fetch_held, held_log, judge_proof, proof_text
from cli.transparency.places import local_verifiers, read_anchors
from cli.transparency.reading import read_deployment

PROOF_DOES_NOT_HOLD = declare(
    "PROOF_DOES_NOT_HOLD", Kind.INTERNAL, "日志给出的证明不成立", "The log's proof does not hold"
)
CODES_UNCHECKED = "未提供 certs 密钥环,行校验码未核对 | the keyring of certs is not given: integrity codes of rows were not checked"
T = TypeVar("T")
LogKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--log-key",
        help="日志验证密钥(含曾用的);本机环境可省 | Verifier keys of the log, former ones too; local stack: its own.",
    ),
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="透明日志 | The registry's transparency log.")
    for command in (verify, proof, checkpoint, export):
        group.command(command.__name__)(command)
    app.add_typer(group, name="log")


def verify(
    *,
    log_key: LogKeys = None,
    log_keys: Annotated[
        Path | None,
        typer.Option("--log-keys", help="另附的验证密钥文件 | A file with more verifier keys, a line each."),
    ] = None,
    database: Annotated[
        bool,
        typer.Option(
            "--database", help="直接读库并核对登记行 | Read the tables, and compare the registry's rows."
        ),
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="离线核验导出的日志 | Verify a file of `log export`, without access."),
    ] = None,
    anchor: Annotated[
        list[Path] | None, typer.Option("--anchor", help="另存的检查点 | A checkpoint kept elsewhere.")
    ] = None,
    witness: Annotated[
        Path | None, typer.Option("--witness", help="见证目录 | Directory of a witness.")
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option(
            "--proof", help="离线核验随证照的证明 | Verify the .tlog-proof beside a licence, offline."
        ),
    ] = None,
    document: Annotated[
        Path | None, typer.Option("--document", help="签章原件 | The sealed document that --proof must name.")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", help="日志信任文件 | For --proof, instead of --log-key.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", help="写出结果供监测 | Leave time and findings for the alarms: for a nightly run."
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """核验整个日志,或一份随证照的证明 | Recompute the whole log and name whatever was altered; or verify one proof."""
    home = stack_home(data_dir)
    with refusals(as_json=as_json):
        if proof is not None:
            shown = judge_proof(proof, document, _trusted(log_key, trust, home))
            show(shown, _table(shown), as_json=as_json)
            return
        verifiers = [*_verifiers(log_key, home), *(read_verifiers(log_keys) if log_keys else ())]
        ours = Layout(home).data(LOG_WITNESS)
        anchors = read_anchors(anchor or [], witness or (ours if ours.is_dir() else None))
        rows: list[Finding] = []
        if export is not None:
            log = read_export(export, anchors)
        elif database:
            keyring = _keyring(home)
            log, rows = asyncio.run(read_deployment(find_places(Layout(home)), anchors, keyring))
            if keyring is None:
                Console(stderr=True).print(CODES_UNCHECKED)
        else:
            log = _ask(lambda auditor: auditor.whole(anchors), home)
        verdict = audit(log, *verifiers)
        findings = sorted({*verdict.findings, *rows})
        if state is not None:
            keep_verdict(state, verdict.size, len(findings), system_clock())
        show(_described(verdict, findings, len(anchors)), _in_words(verdict, findings), as_json=as_json)
    if findings:
        raise typer.Exit(EXIT_REFUSED)


def proof(
    licence_id: Annotated[str, typer.Argument(help="证照编号 | Licence id.")] = "",
    *,
    index: Annotated[int, typer.Option("--index", min=0, help="日志序号 | Index of a leaf.")] = 0,
    to: Annotated[
        Path | None, typer.Option("--to", help="保存为 .tlog-proof | File to write (C2SP).")
    ] = None,
    log_key: LogKeys = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """存在性证明 | Prove that a licence's newest state, or a leaf, is in the log; checked here."""
    home = stack_home(data_dir)
    with refusals(as_json=as_json):
        verifiers = _verifiers(log_key, home)
        found = _ask(lambda auditor: auditor.inclusion(licence_id=licence_id, index=index), home)
        signed, _ = open_checkpoint(found.checkpoint, *verifiers)
        hashed = leaf_hash(found.leaf)
        if not is_included(found.index, signed.size, hashed, found.hashes, signed.root):
            raise PROOF_DOES_NOT_HOLD()
        if to is not None:
            to.write_text(proof_text(found), encoding="utf-8")
        data = {
            "leaf_index": found.index,
            "leaf": json.loads(found.leaf),
            "leaf_hash": hashed.hex(),
            "hashes": [base64.b64encode(each).decode() for each in found.hashes],
            "checkpoint": found.checkpoint,
        }
        show(
            data, _table({name: data[name] for name in ("leaf_index", "leaf_hash", "leaf")}), as_json=as_json
        )


def checkpoint(
    *,
    since: Annotated[
        Path | None,
        typer.Option("--since", help="较早的检查点 | An earlier one: prove that the log only grew."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="保存到文件 | File to write.")] = None,
    trust: Annotated[
        Path | None,
        typer.Option("--trust", help="写出日志信任文件,供离线核验 | Write what check-qr needs offline."),
    ] = None,
    log_key: LogKeys = None,
    witness_key: Annotated[
        list[str] | None, typer.Option("--witness-key", help="见证方公钥 | Verifier keys of witnesses.")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """最新检查点 | The newest signed checkpoint, with its cosignatures; checked here."""
    home = stack_home(data_dir)
    with refusals(as_json=as_json):
        verifiers = _verifiers(log_key, home)
        note, _ = _ask(lambda auditor: auditor.checkpoint(), home)
        signed, taken = open_checkpoint(note, *verifiers)
        if since is not None:
            old, _ = open_checkpoint(read_anchors([since], None)[0], *verifiers)
            hashes = _ask(lambda auditor: auditor.consistency(old.size, signed.size), home)
            if not is_consistent(old.size, old.root, signed.size, signed.root, hashes):
                raise PROOF_DOES_NOT_HOLD()
        if to is not None:
            to.write_text(note)
        if trust is not None:
            keys = [*verifiers, *_witnesses(witness_key)]
            trust.write_text(_ask(lambda auditor: fetch_held(auditor, keys), home).text, encoding="utf-8")
        seen = {each.name: taken.cosigned_at(each) for each in _witnesses(witness_key)}
        data = {"size": signed.size, "root": signed.root.hex(), "note": note, "cosigned_at": seen}
        if as_json:
            show(data, note, as_json=True)
        else:
            typer.echo(note, nl=False)  # to the letter: a note is what is signed


def export(
    file: Annotated[Path, typer.Argument(help="导出文件 | File to write.")],
    *,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """导出日志 | Write leaves and checkpoints to a file, for `log verify --export` where there is no access."""
    home = stack_home(data_dir)

    async def work(auditor: Auditor) -> tuple[int, int]:
        notes = await auditor.notes()
        return await write_export(file, notes, auditor.places(), system_clock())

    with refusals(as_json=as_json):
        leaves, checkpoints = _ask(work, home)
        told = f"已导出 | exported: {leaves} leaves, {checkpoints} checkpoints"
        show({"file": str(file), "leaves": leaves, "checkpoints": checkpoints}, told, as_json=as_json)


def _verifiers(given: list[str] | None, home: Path) -> list[Verifier]:
    """Return the keys that are trusted: as given, else those of the local stack, whose files this user has."""
    if given:
        return [Verifier.parse(each) for each in given]
    return local_verifiers(Layout(home))


def _keyring(home: Path) -> Path | None:
    """Return the registry's keyring, by which its rows are checked word for word; None where it is not given."""
    try:
        return reading_keys(Layout(home), "certs")
    except Fault as fault:
        if fault.reason is not KEYRING_NOT_GIVEN:
            raise
        return None


def _trusted(given: list[str] | None, trust: Path | None, home: Path) -> HeldLog:
    if given or trust is not None:
        return held_log(given, trust or home, needed=True)
    return HeldLog(tuple(local_verifiers(Layout(home))))


def _witnesses(keys: list[str] | None) -> list[Verifier]:
    found = [Verifier.parse(each) for each in keys or []]
    return [each for each in found if each.kind == COSIGNATURE]


def _ask(call: Callable[[Auditor], Awaitable[T]], home: Path) -> T:
    async def work() -> T:
        async with log_auditor(home) as auditor:
            return await call(auditor)

    return asyncio.run(work())


def _described(verdict: Verdict, findings: list[Finding], anchors: int) -> dict[str, Any]:
    return {
        "whole": not findings,
        "size": verdict.size,
        "root": verdict.root.hex(),
        "anchors": anchors,
        "findings": [
            {"damage": each.damage.value, "leaf_index": each.index, "detail": each.detail}
            for each in findings
        ],
    }


def _in_words(verdict: Verdict, findings: list[Finding]) -> Group | Text:
    if not findings:
        return Text(f"日志完整 | The log is whole: {verdict.size} leaves, root {verdict.root.hex()}")
    table = Table("序号 | leaf", "问题 | damage", "详情 | detail")
    for each in findings:
        table.add_row(str(each.index), each.damage.value, each.detail)
    return Group(Text(f"日志有 {len(findings)} 处问题 | {len(findings)} things are wrong"), table)


def _table(data: dict[str, Any]) -> Table:
    table = Table(Column(), Column(overflow="fold"), show_header=False)
    for name, value in data.items():
        table.add_row(name, json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value))
    return table
