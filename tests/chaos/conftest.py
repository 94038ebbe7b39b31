"""``--seeds N``: how many seeded runs; two unless told otherwise, twenty by `make chaos`."""

from __future__ import annotations

import pytest

QUICK_SEEDS = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seeds", type=int, default=QUICK_SEEDS, help="seeded outage runs on each bus")
    parser.addoption("--first-seed", type=int, default=1, help="the first seed, to repeat a failed one")


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    # Where this file was not among those that pytest reads first, its options do not exist.
    first = request.config.getoption("--first-seed", default=1)
    return range(first, first + request.config.getoption("--seeds", default=QUICK_SEEDS))
