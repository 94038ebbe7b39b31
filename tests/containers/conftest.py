"""PostgreSQL and Kafka as containers, run by testcontainers; they take the place of the servers of other tests."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from chassis.bus import BusConfig, open_bus
from chassis.messaging_schema import MESSAGING_V1
from tests.containers.servers import KafkaContainer, PostgresContainer
from tests.contract.bus.conftest import Stage, group
from tests.integration.messaging.rig import COUNTER_TABLES, EFFECT_TABLES, Rig, open_rig
from tests.stacks.engine import Engine
from tests.stacks.postgres import FreshDatabase, PostgresServer

__all__ = ["group"]


@pytest.fixture(scope="session")
def kafka_container(docker_engine: Engine, base_images: dict[str, str]) -> Iterator[KafkaContainer]:
    """A broker that the tests of this folder share; it may be killed if it is started again."""
    with KafkaContainer(base_images["kafka"]) as container:
        yield container


@pytest.fixture(scope="session")
def postgres_container(docker_engine: Engine, base_images: dict[str, str]) -> Iterator[PostgresContainer]:
    """A server that the tests of this folder share; it may be killed if it is started again."""
    with PostgresContainer(base_images["postgres"]) as container:
        yield container


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_container: KafkaContainer) -> str:
    return kafka_container.bootstrap


@pytest.fixture(scope="session")
def postgres_server(postgres_container: PostgresContainer) -> PostgresServer:
    return PostgresServer(postgres_container.dsn)


@pytest.fixture
async def stage(kafka_bootstrap: str) -> AsyncIterator[Stage]:
    """The stage of the bus contract, on the container."""
    config = BusConfig("kafka", "contract", kafka_bootstrap=kafka_bootstrap)
    stage = Stage(await open_bus(config), config, f"t{uuid.uuid4().hex}.v1", partitions=4)
    await stage.bus.create_topics([stage.topic], stage.partitions)
    yield stage
    for opened in [*stage.opened, stage.bus]:
        await opened.close()


@pytest.fixture
async def rig(kafka_bootstrap: str, fresh_database: FreshDatabase) -> AsyncIterator[Rig]:
    """Two small services: outbox and inbox on the PostgreSQL container, events over the Kafka container."""
    config = BusConfig("kafka", "rig", kafka_bootstrap=kafka_bootstrap, append_timeout_seconds=5)
    writer = await fresh_database((*MESSAGING_V1, *COUNTER_TABLES))
    reader = await fresh_database((*MESSAGING_V1, *EFFECT_TABLES))
    rig = await open_rig(writer, reader, config, f"intake.t{uuid.uuid4().hex}.v1")
    yield rig
    await rig.writer.close()
    await rig.reader.close()
    await rig.bus.close()
