"""`tongban` as a user starts it, on a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Command:
    """The real command against one local stack."""

    def __init__(self, directory: Path, *up: str) -> None:
        self.home, self.directory, self.up_options = directory / "home", directory, up
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TONGBAN_")},
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "gen"))),
            "TONGBAN_HOME": str(self.home),
            "TONGBAN_CATALOGUE_DIR": str(ROOT / "catalogue"),
        }

    def run(self, *arguments: str, timeout_seconds: float = 280.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            cwd=self.directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )

    def __call__(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        done = self.run(*arguments, "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def logs(self) -> str:
        return "\n".join(f"{path.name}: {path.read_text()[-2_000:]}" for path in self.log_files())

    def log_files(self) -> list[Path]:
        return sorted(
            path for path in self.home.rglob("*") if path.is_file() and path.suffix in {".log", ".1"}
        )
