"""One running Java program for the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.program import Program, ProgramMissing, running
from tests.stacks.needs import unavailable


@pytest.fixture(scope="session")
def java() -> Iterator[Program]:
    """ofdrw and Bouncy Castle, to be asked."""
    try:
        with running() as program:
            yield program
    except ProgramMissing as missing:
        unavailable(str(missing))
