"""Where the command finds its files: in the directory it is called from, else in the checkout."""

from __future__ import annotations

import os
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[1]


def catalogue_dir() -> Path:
    """Return the catalogue: ``TONGBAN_CATALOGUE_DIR``, else ``./catalogue``, else the checkout's."""
    given = os.environ.get("TONGBAN_CATALOGUE_DIR")
    if given:
        return Path(given).absolute()
    here = Path.cwd() / "catalogue"
    return here if here.is_dir() else _CHECKOUT / "catalogue"


def stack_home(given: Path | None = None) -> Path:
    """Return the local stack's directory: as given, else ``TONGBAN_HOME``, else ``./.tongban``."""
    return (given or Path(os.environ.get("TONGBAN_HOME", ".tongban"))).absolute()
