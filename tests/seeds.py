"""``--seeds N`` and ``--first-seed K``: how many seeded runs, and which, so that a failed one can be repeated.

Examples that hypothesis makes have no time limit either, anywhere: a busy machine is no failure.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

QUICK_SEEDS = 2


settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seeds", type=int, default=QUICK_SEEDS, help="seeded runs of each fault test")
    parser.addoption("--first-seed", type=int, default=1, help="the first seed, to repeat a failed one")


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds to run."""
    first = request.config.getoption("--first-seed")
    return range(first, first + request.config.getoption("--seeds"))
