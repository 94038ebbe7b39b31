"""The servers of the history tests: one pair for all tests of a bus kind, because starting them costs most."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from chassis.errors import Fault
from tests.history.servers import BusServer, OwnPostgres, open_servers
from tests.stacks import kafka
from tests.stacks.needs import unavailable

Servers = tuple[OwnPostgres, BusServer]


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """The servers of the bus kind that the test names; without a Kafka the test fails in CI, else skips."""
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(open_servers(request.param))
        except Fault as problem:
            unavailable(f"no Kafka to be had: {problem.code}: {problem.en}")
        if request.param == "kafka":
            kafka._used.add(f"{opened[1].name}, for histories")
        yield opened
