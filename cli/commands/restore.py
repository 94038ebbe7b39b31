"""`tongban restore`: a backup into empty databases and stores, or the proof that it could be restored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pyrage
import typer

from cli.commands.backup import verifying_key_of
from cli.local.layout import Layout
from cli.operations.checking import check_backup, check_identity
from cli.operations.manifest import Manifest
from cli.operations.parts import read_identity
from cli.operations.places import deployed, deployment, present_keyrings
from cli.operations.progress import Follow, bars
from cli.operations.restoring import restore as restore_into
from cli.output import AsJson, refusals, show
from cli.places import stack_home


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(restore)


def restore(
    backup: Annotated[Path, typer.Argument(help="备份 | Directory of one backup.")],
    *,
    identity: Annotated[
        Path | None, typer.Option(help="操作员密钥文件 | age identity file that opens the backup.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="只验证 | Prove that it can be restored, in a server made for that."),
    ] = False,
    verifying_key: Annotated[
        Path | None, typer.Option(help="签名公钥 | Public key of its signature, PEM; default: this system's.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """恢复备份 | Restore into empty databases and stores. With --verify and no identity: signature and digests only."""
    layout = Layout(stack_home(data_dir))
    started = time.monotonic()
    with refusals(as_json=as_json), bars(quiet=as_json) as follow:
        trusted = verifying_key or verifying_key_of(layout)
        manifest = check_backup(backup, trusted, follow)
        proven = "signature"
        if identity is not None or not verify:
            opened = read_identity(identity or Path("-"))
            check_identity(backup, manifest, opened)
            ours = verifying_key is None  # another system's backup is rehearsed without its field keys
            keyrings = (present_keyrings(layout) if ours else None) if verify else None
            restoring = _restore(backup, manifest, opened, layout, follow, dry=verify, keyrings=keyrings)
            asyncio.run(restoring)
            proven = "rehearsed" if verify else "restored"
        data = _described(manifest, proven, time.monotonic() - started)
    show(data, _in_words(data), as_json=as_json)


async def _restore(
    backup: Path,
    manifest: Manifest,
    identity: pyrage.x25519.Identity,
    layout: Layout,
    follow: Follow,
    *,
    dry: bool,
    keyrings: Mapping[str, Path] | None,
) -> None:
    if deployed() and not dry:
        await restore_into(backup, manifest, identity, deployment(), follow)
        return
    from cli.operations.targets import rehearsal, stopped_stack  # noqa: PLC0415 - need the local extra

    if dry:
        async with rehearsal(manifest, keyrings) as places:
            await restore_into(backup, manifest, identity, places, follow)
    else:
        async with stopped_stack(layout, manifest) as places:
            await restore_into(backup, manifest, identity, places, follow)


def _described(manifest: Manifest, proven: str, seconds: float) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "outcome": proven,
        "cut_at": manifest.cut_at,
        "rows": manifest.rows,
        "files": sum(store.files for store in manifest.stores.values()),
        "seconds": round(seconds, 3),
    }


def _in_words(data: dict[str, Any]) -> str:
    said = {
        "signature": "签名与摘要无误,未解密 | signature and digests hold, nothing was decrypted",
        "rehearsed": "可以恢复,内容逐表一致 | can be restored, every table as in the manifest",
        "restored": "已恢复,内容逐表一致 | restored, every table as in the manifest",
    }[data["outcome"]]
    return (
        f"{said}\n{data['name']}: {data['rows']} 行 | rows, {data['files']} 文件 | files, {data['seconds']} s"
    )


if __name__ == "__main__":
    typer.run(restore)
