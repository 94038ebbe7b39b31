"""The local Kafka is a real one: groups share partitions, and a killed broker keeps what it acknowledged."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from cli.local.kafka import RunningKafka

pytestmark = pytest.mark.kafka


async def _create(kafka: RunningKafka, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=1)])
    await admin.close()


async def _send(kafka: RunningKafka, topic: str, values: range) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, enable_idempotence=True, acks="all")
    await producer.start()
    for value in values:
        await producer.send_and_wait(topic, str(value).encode(), key=str(value % 8).encode())
    await producer.stop()


async def _member(kafka: RunningKafka, topic: str, group: str) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap, group_id=group, auto_offset_reset="earliest"
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


async def test_two_members_of_one_group_share_the_partitions_and_miss_nothing(kafka: RunningKafka) -> None:
    await _create(kafka, "shared")
    members = list(await asyncio.gather(*(_member(kafka, "shared", "readers") for _ in range(2))))
    try:
        async with asyncio.timeout(30):
            while sorted(len(member.assignment()) for member in members) != [2, 2]:
                await asyncio.gather(*(member.getmany(timeout_ms=100) for member in members))
        await _send(kafka, "shared", range(200))
        assert sorted(await _drain(members, 200)) == list(range(200))
    finally:
        for member in members:
            await member.stop()


async def test_what_a_killed_broker_acknowledged_is_there_after_its_restart(kafka: RunningKafka) -> None:
    await _create(kafka, "durable")
    await _send(kafka, "durable", range(50))
    await asyncio.to_thread(kafka.kill)
    assert kafka.pid == 0
    await asyncio.to_thread(kafka.restart)
    reader = await _member(kafka, "durable", "after")
    try:
        assert sorted(await _drain([reader], 50)) == list(range(50))
    finally:
        await reader.stop()


def test_the_broker_is_not_reachable_from_other_machines(kafka: RunningKafka) -> None:
    if kafka.kind != "java":
        return
    port = int(kafka.bootstrap.rpartition(":")[2])
    address = socket.gethostbyname(socket.gethostname())
    if address.startswith("127."):
        address = "127.0.0.2"
    with pytest.raises(OSError), socket.create_connection((address, port), timeout=1):
        pass
