from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local.kafka import RunningKafka, start_kafka


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    directory: Path = tmp_path_factory.mktemp("kafka")
    broker = start_kafka(directory)
    yield broker
    broker.stop()
