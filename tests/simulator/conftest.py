"""``--simulations N --first-seed K``: how many runs of each simulation, and from which seed."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--simulations", type=int, default=None, help="runs of each simulation, not a short while's"
    )


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Run without the cyclic collector, which takes a fifth of the time and finds little."""
    gc.disable()
    yield
    gc.enable()
    gc.collect()
