"""What commands print: a table or text for people, one JSON object with ``--json``.

The JSON keys are a contract. A refusal is ``{"reason", "zh", "en", "fields"}`` and exit status 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from chassis.errors import Fault

EXIT_REFUSED = 1

AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON | Print one JSON object.")]

console = Console(highlight=False)


def show(data: Mapping[str, Any], human: RenderableType, *, as_json: bool) -> None:
    """Print the answer in the form that was asked for."""
    if as_json:
        typer.echo(json.dumps(data, ensure_ascii=False, default=str))
    else:
        console.print(human)


@contextmanager
def refusals(*, as_json: bool) -> Iterator[None]:
    """Print an expected refusal, naming every wrong field, and end with exit status 1."""
    try:
        yield
    except Fault as fault:
        show(refusal(fault), _in_words(fault), as_json=as_json)
        raise typer.Exit(EXIT_REFUSED) from None


def refusal(fault: Fault) -> dict[str, Any]:
    """Return a refusal as plain values."""
    fields = [
        {"field": each.field_path, "reason": each.reason.code, "zh": each.zh, "en": each.en}
        for each in fault.violations
    ]
    return {"reason": fault.code, "zh": fault.zh, "en": fault.en, "fields": fields}


def _in_words(fault: Fault) -> Text:
    lines = [f"{fault.zh}\n{fault.en}  [{fault.code}]"]
    lines += [f"  {each.field_path}: {each.zh} | {each.en}" for each in fault.violations]
    return Text("\n".join(lines))
