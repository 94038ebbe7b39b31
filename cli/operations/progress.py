"""How far a long operation is: bars for people, nothing where a scheduler reads the output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from cli.output import console

Advance = Callable[[int], object]
Follow = Callable[[str, int], Advance]
"""Name a step and its expected bytes; returns what to tell of each piece."""


@contextmanager
def bars(*, quiet: bool) -> Iterator[Follow]:
    """Yield a function that shows one bar per step."""
    if quiet:
        yield silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:

        def follow(step: str, expected_bytes: int) -> Advance:
            task = progress.add_task(step, total=max(expected_bytes, 1))
            return lambda size: progress.advance(task, size)

        yield follow


def silent(_step: str, _expected_bytes: int) -> Advance:
    """Show nothing."""
    return lambda _size: None
