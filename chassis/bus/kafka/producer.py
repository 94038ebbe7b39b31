"""The producer of the relay: nothing else publishes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from chassis.bus.kafka.connection import REQUEST_TIMEOUT_MS, Connection
from chassis.bus.kafka.one_cluster import hold_to_cluster
from chassis.bus.port import NewRecord, Refused, sift, to_milliseconds
from chassis.errors import PEER_UNAVAILABLE

MAX_BATCH_BYTES = 131_072
TOPIC_REFRESH_SECONDS = 1.0
CLOSE_SECONDS = 5.0


class KafkaProducer:
    """The relay's producer: idempotent, acks from all replicas, with its own time-out around a batch.

    It sends to one cluster only: the one it is held to.
    """

    def __init__(self, connection: Connection, list_topics: Callable[[], Awaitable[set[str]]]) -> None:
        self._connection = connection
        self._list_topics = list_topics
        self._producer: AIOKafkaProducer | None = None
        self._cluster_id: str | None = None
        self._sends_to: str | None = None
        self._topics: set[str] = set()
        self._refreshed = 0.0

    def hold_to(self, cluster_id: str) -> None:
        """Append from now on only to the cluster of this id."""
        self._cluster_id = cluster_id

    async def append(self, records: Sequence[NewRecord]) -> list[Refused | None]:
        """Send all that can be sent and await every acknowledgement."""
        try:
            # aiokafka's idempotent producer never gives up on a retriable error, hence the time-out;
            # its producer is then stopped before another one may send the same records again.
            async with asyncio.timeout(self._connection.config.append_timeout_seconds):
                await self._learn({record.topic for record in records})
                outcomes = sift(records, self._topics)
                accepted = [record for record, refused in zip(records, outcomes, strict=True) if not refused]
                await self._send(accepted)
        except (KafkaError, OSError, TimeoutError) as problem:
            await self.close()
            raise PEER_UNAVAILABLE(peer="bus") from problem
        return outcomes

    async def _send(self, records: Sequence[NewRecord]) -> None:
        producer = await self._started()
        acknowledgements = [
            await producer.send(
                record.topic,
                record.body,
                record.key,
                headers=list(record.headers),
                timestamp_ms=to_milliseconds(record.at),
            )
            for record in records
        ]
        await asyncio.gather(*acknowledgements)

    async def _learn(self, topics: set[str]) -> None:
        if topics <= self._topics or time.monotonic() - self._refreshed < TOPIC_REFRESH_SECONDS:
            return
        self._topics, self._refreshed = await self._list_topics(), time.monotonic()

    async def _started(self) -> AIOKafkaProducer:
        if self._sends_to != self._cluster_id:
            await self.close()
        if self._producer is None:
            producer = AIOKafkaProducer(
                acks="all",
                enable_idempotence=True,
                linger_ms=2,
                max_batch_size=MAX_BATCH_BYTES,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                **self._connection.arguments(),
            )
            self._producer = producer  # before it starts: a failed start is closed as well
            self._sends_to = self._cluster_id
            hold_to_cluster(producer.client, self._sends_to)
            await producer.start()
        return self._producer

    async def close(self) -> None:
        """Stop the producer; what is unacknowledged after a grace is given up."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await producer.stop()
        except (KafkaError, OSError, TimeoutError):
            # Its flush waits for a broker that is away; without this the sender would live on.
            with contextlib.suppress(KafkaError, OSError, asyncio.CancelledError):
                await producer._sender.close()  # noqa: SLF001 - aiokafka has no public abort
                await producer.client.close()
