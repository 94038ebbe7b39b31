"""The local Kafka is a real one: groups share partitions, and a killed broker keeps what it acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from cli.local.kafka import RunningKafka

pytestmark = pytest.mark.kafka


async def _create(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=1)])
    await admin.close()


async def _send(bootstrap: str, topic: str, values: range) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all")
    await producer.start()
    for value in values:
        await producer.send_and_wait(topic, str(value).encode(), key=str(value % 8).encode())
    await producer.stop()


async def _member(bootstrap: str, topic: str, group: str) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest"
    )
    await consumer.start()
    return consumer


async def _drain(consumers: list[AIOKafkaConsumer], expected: int) -> list[int]:
    seen: list[int] = []
    async with asyncio.timeout(30):
        while len(seen) < expected:
            for consumer in consumers:
                batches = await consumer.getmany(timeout_ms=200)
                seen += [int(record.value) for batch in batches.values() for record in batch]
    return seen


def reachable_from_outside(bootstrap: str) -> bool:
    address = socket.gethostbyname(socket.gethostname())
    with contextlib.suppress(OSError):
        for other in {address, "127.0.0.2"} - {"127.0.0.1"}:
            socket.create_connection((other, int(bootstrap.rpartition(":")[2])), timeout=1).close()
            return True
    return False


async def test_two_members_of_one_group_share_the_partitions_and_miss_nothing(kafka_bootstrap: str) -> None:
    topic = f"shared-{uuid4().hex}"
    await _create(kafka_bootstrap, topic)
    members = list(await asyncio.gather(*(_member(kafka_bootstrap, topic, topic) for _ in range(2))))
    try:
        async with asyncio.timeout(30):
            while sorted(len(member.assignment()) for member in members) != [2, 2]:
                await asyncio.gather(*(member.getmany(timeout_ms=100) for member in members))
        await _send(kafka_bootstrap, topic, range(200))
        assert sorted(await _drain(members, 200)) == list(range(200))
    finally:
        for member in members:
            await member.stop()


async def test_what_a_killed_broker_acknowledged_is_there_after_its_restart_and_on_the_loopback_only(
    private_kafka: RunningKafka,
) -> None:
    await _create(private_kafka.bootstrap, "durable")
    await _send(private_kafka.bootstrap, "durable", range(50))
    await asyncio.to_thread(private_kafka.kill)
    assert private_kafka.pid == 0
    await asyncio.to_thread(private_kafka.restart)
    assert not reachable_from_outside(private_kafka.bootstrap)
    reader = await _member(private_kafka.bootstrap, "durable", "after")
    try:
        assert sorted(await _drain([reader], 50)) == list(range(50))
    finally:
        await reader.stop()
