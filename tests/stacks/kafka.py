"""A real Kafka for tests, in this order: an address, a Docker engine, Java with the published jars.

``TONGBAN_TEST_KAFKA`` names a running broker. Where none can be had the tests are skipped by name,
except in CI (``CI`` is set): there they fail. The summary of a run says which Kafka it was.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.stacks.needs import unavailable

if TYPE_CHECKING:
    from cli.local.kafka import RunningKafka

_used: set[str] = set()


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """The bootstrap address of the broker that all Kafka tests of a worker share."""
    address = os.environ.get("TONGBAN_TEST_KAFKA")
    if address:
        _used.add(f"the broker at {address} (TONGBAN_TEST_KAFKA)")
        yield address
        return
    with _own_broker() as broker:
        yield broker.bootstrap


@pytest.fixture
def private_kafka() -> Iterator[RunningKafka]:
    """A broker of one test, to be killed and restarted."""
    with _own_broker() as broker:
        yield broker


class _own_broker:  # noqa: N801 - reads as a context manager
    def __enter__(self) -> RunningKafka:
        from chassis.errors import Fault
        from cli.local.kafka import start_kafka

        self._directory = Path(tempfile.mkdtemp(prefix="tbkafka"))
        try:
            self._broker = start_kafka(self._directory)
        except Fault as problem:
            shutil.rmtree(self._directory, ignore_errors=True)
            reason = f"no Kafka to be had: {problem.code}: {problem.en}"
            _used.add(reason)
            unavailable(reason)
        _used.add(
            {"docker": "a container of the Docker engine", "java": "Apache's jars on the local Java"}[
                self._broker.kind
            ]
        )
        return self._broker

    def __exit__(self, *_: object) -> None:
        self._broker.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker of pytest-xdist used to the process that prints."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["kafka"] = sorted(_used)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect from a worker."""
    _used.update(getattr(node, "workeroutput", {}).get("kafka", []))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print which Kafka the run used."""
    terminalreporter.write_line(f"Kafka: {'; '.join(sorted(_used)) or 'not needed by these tests'}")
