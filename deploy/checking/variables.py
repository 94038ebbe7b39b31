"""What Compose is told: the ``.env`` of a deployment, and the environment above it."""

from __future__ import annotations

import os
from pathlib import Path


def read_variables(directory: Path) -> dict[str, str]:
    """Return the variables as Compose sees them; empty where there is no ``.env``."""
    try:
        lines = (directory / ".env").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    told = {name.strip(): value.strip() for name, value in pairs}
    return told | {name: value for name, value in os.environ.items() if name.startswith("TONGBAN_")}
