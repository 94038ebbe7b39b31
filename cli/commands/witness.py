"""`tongban witness`: a witness of transparency logs, as a process of its own.

``python -m cli.commands.witness`` serves as well, without the rest of the command line in memory.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from chassis.tlog.note import ED25519, Verifier
from cli.output import EXIT_REFUSED, AsJson, refusals, show
from cli.witness.key import witness_signer
from cli.witness.memory import Memory, evidence_in

Home = Annotated[
    Path, typer.Option("--data-dir", help="见证目录 | Directory of the witness: memory, key, evidence.")
]
Name = Annotated[str, typer.Option("--name", help="见证方名称 | Name of the witness in its signatures.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="日志见证 | A witness of transparency logs.")
    group.command("serve")(serve)
    group.command("key")(key)
    group.command("evidence")(evidence)
    app.add_typer(group, name="witness")


def serve(
    data_dir: Home,
    name: Name,
    log_key: Annotated[list[str], typer.Option("--log-key", help="日志验证密钥 | Verifier key of a log.")],
    *,
    listen: Annotated[str, typer.Option(help="监听地址 | host:port.")] = "127.0.0.1:8470",
    ready_file: Annotated[
        Path | None, typer.Option("--ready-file", help="就绪文件 | Stands while serving.")
    ] = None,
) -> None:
    """运行见证 | Witness the checkpoints of these logs until told to stop."""
    from cli.witness.serving import Witness, serve_witness  # noqa: PLC0415 - loads a web server

    with refusals(as_json=False):
        logs = [Verifier.parse(each) for each in log_key]
        wrong = next((each for each in logs if each.kind != ED25519), None)
        if wrong is not None:
            raise typer.BadParameter(str(wrong))
        memory = Memory(data_dir)
        witness = Witness(witness_signer(data_dir, name), logs, memory)
        host, _, port = listen.rpartition(":")
        try:
            asyncio.run(serve_witness(witness, host, int(port), ready_file))
        finally:
            memory.close()


def key(data_dir: Home, name: Name, *, as_json: AsJson = False) -> None:
    """见证方公钥 | The verifier key of this witness; its private key is made at the first call."""
    with refusals(as_json=as_json):
        found = str(witness_signer(data_dir, name).verifier)
        show({"verifier_key": found}, found, as_json=as_json)


def evidence(data_dir: Home, *, as_json: AsJson = False) -> None:
    """分叉证据 | Pairs of checkpoints that cannot both be true. Exit status 1 when there are any."""
    files = evidence_in(data_dir)
    show({"evidence": [str(each) for each in files]}, "\n".join(map(str, files)) or "—", as_json=as_json)
    if files:
        raise typer.Exit(EXIT_REFUSED)


if __name__ == "__main__":
    typer.run(serve)
