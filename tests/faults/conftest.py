"""``--all-patches``: run every patch against the test that must catch it, not only a sample."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-patches", action="store_true", help="re-introduce every bug, not a seeded sample")
