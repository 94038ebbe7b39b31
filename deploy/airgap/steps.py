"""Steps of a long build: shown while they run, timed, and told of when they fail."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.airgap.faults import AIRGAP_STEP_FAILED, AIRGAP_TOOL_MISSING

_DETAIL_CHARACTERS = 1_500


class Steps:
    """What is being done, on standard error; how long each step took, in ``seconds``."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=Console(stderr=True, quiet=quiet),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show and time one step."""
        task, began = self._progress.add_task(name, total=1), time.monotonic()
        yield
        self._progress.update(task, completed=1)
        self.seconds[name] = round(time.monotonic() - began, 1)


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> str:
    """Return what a program printed. Raises AIRGAP_STEP_FAILED or AIRGAP_TOOL_MISSING."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env=environment, cwd=directory
        )
    except FileNotFoundError:
        raise AIRGAP_TOOL_MISSING(tool=words[0], purpose=" ".join(words[:3])) from None
    if done.returncode != 0:
        told = (done.stdout + done.stderr).strip()[-_DETAIL_CHARACTERS:]
        raise AIRGAP_STEP_FAILED(step=" ".join(words[:4]), detail=told)
    return done.stdout
