"""The rig of two services, on the PostgreSQL bus unless a test asks for both transports."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from chassis.bus import BusConfig
from chassis.messaging_schema import BUS_V1, MESSAGING_V1
from tests.integration.messaging.rig import COUNTER_TABLES, EFFECT_TABLES, Rig, open_rig
from tests.stacks.postgres import FreshDatabase

BOTH = pytest.mark.parametrize(
    "rig",
    ["postgres", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.xdist_group("kafka")])],
    indirect=True,
)


@pytest.fixture
async def rig(request: pytest.FixtureRequest, fresh_database: FreshDatabase) -> AsyncIterator[Rig]:
    if getattr(request, "param", "postgres") == "kafka":
        config = BusConfig("kafka", "rig", kafka_bootstrap=request.getfixturevalue("kafka_bootstrap"))
    else:
        dsn = await fresh_database(BUS_V1)
        config = BusConfig("postgres", "rig", postgres_dsn=dsn, lease_seconds=1.5, poll_seconds=0.5)
    writer = await fresh_database((*MESSAGING_V1, *COUNTER_TABLES))
    reader = await fresh_database((*MESSAGING_V1, *EFFECT_TABLES))
    rig = await open_rig(writer, reader, config, f"intake.t{uuid.uuid4().hex}.v1")
    yield rig
    await rig.writer.close()
    await rig.reader.close()
    await rig.bus.close()
