"""`tongban backup`: all data of a deployment at one moment, encrypted to an operator, signed, whole or not there."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from chassis.clock import system_clock
from cli.local.layout import Layout
from cli.operations.backing import Made, back_up
from cli.operations.parts import make_identity
from cli.operations.places import deployed, deployment, find_places
from cli.operations.progress import bars
from cli.operations.shelf import Shelved, clear_unfinished, read_shelf
from cli.operations.signing import keep_key_pair
from cli.output import AsJson, refusals, show
from cli.places import stack_home

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the local stack.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backup)


def backup(
    *,
    to: Annotated[Path, typer.Option("--to", help="备份目录 | Directory of backups.")] = Path("backups"),
    recipient: Annotated[
        str | None, typer.Option(help="操作员公钥 | age public key of who may read it, age1….")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="列出备份 | List what is there, make none.")] = False,
    identity_file: Annotated[
        Path | None,
        typer.Option(
            "--make-identity", help="生成操作员密钥 | Make an operator's key file, print its public key."
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """备份 | Back all databases and files up at one moment; also while the services run."""
    layout = Layout(stack_home(data_dir))
    with refusals(as_json=as_json):
        if identity_file is not None:
            public = make_identity(identity_file)
            show({"recipient": public, "identity": str(identity_file)}, public, as_json=as_json)
        elif listed:
            data = _listing(read_shelf(to, verifying_key_of(layout)))
            show(data, _shelf_table(data), as_json=as_json)
        else:
            to.mkdir(parents=True, exist_ok=True)
            clear_unfinished(to)
            with bars(quiet=as_json) as follow:
                made = asyncio.run(back_up(find_places(layout), to.absolute(), recipient, follow))
            show(_described(made), _in_words(made), as_json=as_json)


def verifying_key_of(layout: Layout) -> Path:
    """Return the key that manifests of this deployment, or of the local stack, are checked with."""
    if deployed():
        return deployment().key("verifying_key")
    return keep_key_pair(layout.secrets("backup"))[1]


def _described(made: Made) -> dict[str, Any]:
    manifest = made.manifest
    return {
        "name": manifest.name,
        "path": str(made.path),
        "cut_at": manifest.cut_at,
        "seconds": round(made.seconds, 3),
        "writers_held_seconds": round(made.held_seconds, 4),
        "size_bytes": manifest.size_bytes,
        "rows": manifest.rows,
        "files": sum(store.files for store in manifest.stores.values()),
        "schemas": {name: each.head for name, each in manifest.databases.items()},
    }


def _in_words(made: Made) -> str:
    said = _described(made)
    return (
        f"备份完成 | done: {said['path']}\n"
        f"{said['rows']} 行 | rows, {said['files']} 文件 | files, {said['size_bytes'] / 1024**2:.1f} MiB, "
        f"{said['seconds']:.1f} s, 写入暂停 | writers held {said['writers_held_seconds'] * 1000:.0f} ms"
    )


def _listing(found: list[Shelved]) -> dict[str, Any]:
    now = system_clock()
    rows = [
        {
            "name": each.name,
            "cut_at": each.cut_at,
            "age_seconds": _age(each.cut_at, now),
            "rows": each.rows,
            "size_bytes": each.size_bytes,
            "refusal": each.refusal,
        }
        for each in found
    ]
    sound = [row["age_seconds"] for row in rows if row["age_seconds"] is not None]
    return {"backups": rows, "newest_age_seconds": min(sound) if sound else None}


def _age(cut_at: datetime | None, now: datetime) -> float | None:
    return None if cut_at is None else round((now - cut_at).total_seconds(), 1)


def _shelf_table(data: dict[str, Any]) -> Table:
    table = Table("备份 | backup", "时刻 | cut", "行 | rows", "MiB", "状态 | state")
    for row in data["backups"]:
        size = f"{row['size_bytes'] / 1024**2:.1f}"
        table.add_row(row["name"], str(row["cut_at"] or "-"), str(row["rows"]), size, row["refusal"] or "✓")
    return table


if __name__ == "__main__":
    typer.run(backup)
