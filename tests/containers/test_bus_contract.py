"""The whole contract of the bus, on Kafka in a container: the tests of tests/contract/bus, on this folder's stage."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.bus import test_append_and_read, test_groups

pytestmark = [pytest.mark.containers, pytest.mark.kafka]


def _is_bound(test: Callable[..., object]) -> bool:
    """Tell whether a test chooses its transport itself and so does not take this folder's."""
    return any(
        mark.name == "parametrize" and "stage" in mark.args[0] for mark in getattr(test, "pytestmark", ())
    )


globals().update(
    {
        name: test
        for module in (test_append_and_read, test_groups)
        for name, test in vars(module).items()
        if name.startswith("test_") and not _is_bound(test)
    }
)


def test_the_contract_is_here() -> None:
    assert sum(name.startswith("test_c") for name in globals()) >= 15
