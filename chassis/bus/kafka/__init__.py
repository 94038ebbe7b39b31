"""The bus on Apache Kafka: the one place that subscribes to it and produces to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from chassis.bus.kafka.acls import Acl, add_acls
from chassis.bus.kafka.connection import REQUEST_TIMEOUT_MS, Connection
from chassis.bus.kafka.consumer import KafkaConsumer
from chassis.bus.kafka.producer import KafkaProducer
from chassis.bus.port import BUS_TOPIC_MISSING, BatchHandler, BusConfig, Lag, from_milliseconds
from chassis.errors import PEER_UNAVAILABLE


async def open_transport(config: BusConfig) -> KafkaBus:
    """Return the bus. Raises PEER_UNAVAILABLE when no broker answers."""
    if not config.kafka_bootstrap:
        raise ValueError("the kafka bus needs kafka_bootstrap")
    bus = KafkaBus(config)
    await bus.cluster_id()
    return bus


class KafkaBus:
    """The Kafka transport; implements ``chassis.bus.Bus``."""

    transport = "kafka"

    def __init__(self, config: BusConfig) -> None:
        self._config = config
        self._connection = Connection.of(config)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """Open an admin client for a few requests. Raises PEER_UNAVAILABLE for any Kafka failure."""
        client = AIOKafkaAdminClient(request_timeout_ms=REQUEST_TIMEOUT_MS, **self._connection.arguments())
        try:
            await client.start()
            yield client
        except (KafkaError, OSError, TimeoutError) as problem:
            raise PEER_UNAVAILABLE(peer="bus") from problem
        finally:
            await client.close()

    async def topics(self) -> set[str]:
        """Return the names of all topics."""
        async with self.admin() as admin:
            return set(await admin.list_topics())

    async def create_topics(self, topics: Sequence[str], partitions: int) -> None:
        """Provision missing topics; adding partitions later would move keys and break their order."""
        factor = self._config.replication_factor
        missing = sorted(set(topics) - await self.topics())
        async with self.admin() as admin:
            if missing:
                await admin.create_topics([NewTopic(name, partitions, factor) for name in missing])
            for _ in range(100):  # creation is asynchronous in the cluster's metadata
                described = await admin.describe_topics(list(topics))
                if all(topic["error_code"] == 0 and topic["partitions"] for topic in described):
                    return
                await asyncio.sleep(0.1)
        raise BUS_TOPIC_MISSING(topics=", ".join(missing))

    async def allow(self, rules: Iterable[Acl]) -> None:
        """Have the access rules in the cluster. Raises BUS_ACL_REFUSED, PEER_UNAVAILABLE."""
        async with self.admin() as admin:
            await add_acls(admin, rules)

    async def require_topics(self, topics: Sequence[str]) -> None:
        """Raise BUS_TOPIC_MISSING unless all topics exist."""
        missing = set(topics) - await self.topics()
        if missing:
            raise BUS_TOPIC_MISSING(topics=", ".join(sorted(missing)))

    async def cluster_id(self) -> str:
        """Return the cluster's id."""
        async with self.admin() as admin:
            return str((await admin.describe_cluster())["cluster_id"])

    async def lag(self, group: str, topics: Sequence[str]) -> list[Lag]:
        """Return the lag of a group; reads the first unread record of each partition for its age."""
        async with self.admin() as admin:
            try:
                stored = await admin.list_consumer_group_offsets(group)
            except GroupCoordinatorNotAvailableError:  # no group has ever committed in this cluster
                stored = {}
            described = await admin.describe_topics(list(topics))
        places = [TopicPartition(t["topic"], p["partition"]) for t in described for p in t["partitions"]]
        reader = AIOKafkaConsumer(
            max_partition_fetch_bytes=65_536, enable_auto_commit=False, **self._connection.arguments()
        )
        try:
            await reader.start()
            ends, begins = await reader.end_offsets(places), await reader.beginning_offsets(places)
            positions = {
                p: stored[p].offset if p in stored and stored[p].offset >= 0 else begins[p] for p in places
            }
            unread = {
                p: max(positions[p], begins[p]) for p in places if max(positions[p], begins[p]) < ends[p]
            }
            ages = await _first_times(reader, unread)
        except (KafkaError, OSError, TimeoutError) as problem:
            raise PEER_UNAVAILABLE(peer="bus") from problem
        finally:
            await reader.stop()
        return [
            Lag(
                p.topic,
                p.partition,
                max(0, ends[p] - max(positions[p], begins[p])),
                ages.get(p),
                positions[p] < begins[p],
            )
            for p in sorted(places)
        ]

    async def prune(self, keep_seconds: float) -> int:  # noqa: ARG002 - the port's signature
        """Do nothing: the brokers delete by ``retention.ms``."""
        return 0

    def producer(self) -> KafkaProducer:
        """Return a producer."""
        return KafkaProducer(self._connection, self.topics)

    def consumer(self, group: str, topics: Sequence[str], handle: BatchHandler) -> KafkaConsumer:
        """Return a member of a group."""
        return KafkaConsumer(self._connection, group, tuple(topics), handle)

    async def close(self) -> None:
        """Do nothing: clients are opened for their work and closed after it."""


async def _first_times(reader: Any, unread: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
    if not unread:
        return {}
    reader.assign(list(unread))
    for place, offset in unread.items():
        reader.seek(place, offset)
    found: dict[TopicPartition, Any] = {}
    deadline = time.monotonic() + 2
    while len(found) < len(unread) and time.monotonic() < deadline:
        for place, records in (await reader.getmany(timeout_ms=200)).items():
            found.setdefault(place, from_milliseconds(records[0].timestamp))
            reader.pause(place)
    return found
