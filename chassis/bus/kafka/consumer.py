"""At-least-once through FastStream, exactly as measured.

NACK_ON_ERROR, batches, a parser that lets bad headers through to our code, a decoder that keeps raw
records, and a listener that lets the running batch finish before partitions move. FastStream's
default ACK_FIRST loses messages. Its acknowledgement commits where every assigned partition stands:
a position that retention has moved over unread records would be committed with another partition's
batch, and the gap with it. So a batch commits its own records' offsets only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity

from chassis.bus.kafka.connection import Connection
from chassis.bus.kafka.one_cluster import hold_to_cluster
from chassis.bus.port import BUS_GROUP_BEHIND, BatchHandler, Record, from_milliseconds
from chassis.messaging_metrics import BUS_COMMIT_FAILURES
from chassis.messaging_metrics import BUS_GROUP_BEHIND as BEHIND_GAUGE
from chassis.notifier import set_after, wait_for

START_RETRY_SECONDS = 1.0
RETRY_SECONDS = 0.5
"""Before a failed batch goes back: FastStream itself would redeliver it at once, hundreds of times a second."""
DRAIN_SECONDS = 25.0
REBALANCE_SECONDS = 30
"""How long a group waits for members that have not come back yet."""
METADATA_SECONDS = 10
"""How soon a group notices topics that are made again: one that met a new cluster without them holds no partition."""
_log = structlog.get_logger("tongban.bus")


async def keep_records(message: Any) -> Any:
    """Return the raw records: async, because FastStream runs a sync decoder in a thread per message."""
    return message.raw_message


def _tame(record: ConsumerRecord[Any, Any]) -> ConsumerRecord[Any, Any]:
    headers = tuple(
        (name, (value or b"").decode("utf-8", "replace").encode()) for name, value in record.headers
    )
    return replace(record, headers=headers)


async def tolerant(records: Any, default: Any) -> Any:
    """Parse a batch although a header is null or not UTF-8, which else loses the batch.

    The message keeps the records as they came: our own code judges the header.
    """
    try:
        return await default(records)
    except (ValueError, AttributeError):
        message = await default(tuple(map(_tame, records)))
        message.raw_message = records
        return message


class Drain(ConsumerRebalanceListener):
    """Lets the running batch finish and commit before its partitions move."""

    def __init__(self) -> None:
        self.subscriber: Any = None
        self.expected: dict[TopicPartition, int] = {}
        self.behind: set[TopicPartition] = set()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Wait for the running batch."""
        await self.subscriber.lock.wait_release(DRAIN_SECONDS)
        for place in revoked:
            self.expected.pop(place, None)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - as above
        """Start at what the group committed; whether that still exists shows at the first record."""
        self.behind.clear()


class _OwnOffsets:
    """What a batch's message sees of its consumer: it commits that batch and nothing else."""

    def __init__(self, consumer: Any, offsets: dict[TopicPartition, int]) -> None:
        self._consumer, self.offsets = consumer, offsets

    async def commit(self) -> None:
        """Commit the batch; a partition behind retention stays where it is."""
        if self.offsets:
            await self._consumer.commit(dict(self.offsets))

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Have a failed batch come again."""
        self._consumer.seek(partition, offset)


class _CountCommitFailures(logging.Handler):
    """FastStream only logs a failed commit, as CRITICAL; duplicates follow."""

    def __init__(self, group: str) -> None:
        super().__init__(logging.CRITICAL)
        self._failures = BUS_COMMIT_FAILURES.labels(group)

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - the library's signature
        self._failures.inc()


class KafkaConsumer:
    """One member of one group; implements ``chassis.bus.BusConsumer``."""

    def __init__(
        self, connection: Connection, group: str, topics: tuple[str, ...], handle: BatchHandler
    ) -> None:
        self._connection, self._group, self._topics, self._handle = connection, group, topics, handle
        self._drain = Drain()
        self._own: _OwnOffsets | None = None
        self._logger = logging.getLogger(f"tongban.bus.kafka.{group}")
        self._logger.setLevel(logging.WARNING)
        if not self._logger.handlers:
            self._logger.addHandler(_CountCommitFailures(group))

    async def run(self, stop: asyncio.Event) -> None:
        """Read until ``stop``; the running batch gets 30 s to finish. On another cluster everything starts anew."""
        while not stop.is_set():
            broker, ended = self._build(), asyncio.Event()
            stopping = asyncio.create_task(set_after(stop, ended))
            try:
                await broker.start()
                client = self._drain.subscriber.consumer._client  # noqa: SLF001 - aiokafka lends it to nobody
                hold_to_cluster(client, None, ended.set)
                await ended.wait()
            except (KafkaError, OSError) as problem:
                _log.warning("bus_unavailable", group=self._group, cause=type(problem).__name__)
                await wait_for(stop, START_RETRY_SECONDS)
            finally:
                stopping.cancel()
                await broker.stop()

    def _build(self) -> KafkaBroker:
        config, tls = self._connection.config, self._connection.tls
        self._drain.expected.clear()
        broker = KafkaBroker(
            config.kafka_bootstrap or "",
            client_id=config.client_id,
            security=BaseSecurity(ssl_context=tls, use_ssl=True) if tls else None,
            apply_types=False,
            allow_auto_create_topics=False,
            graceful_timeout=30,
            metadata_max_age_ms=METADATA_SECONDS * 1000,
            logger=self._logger,
        )
        subscriber = self._drain.subscriber = broker.subscriber(
            *self._topics,
            group_id=self._group,
            group_instance_id=config.group_instance_id,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            auto_offset_reset="earliest",
            batch=True,
            max_records=500,
            batch_timeout_ms=20,
            parser=self._parse,
            decoder=keep_records,
            listener=self._drain,
            session_timeout_ms=round(config.session_seconds * 1000),
            heartbeat_interval_ms=round(config.session_seconds * 300),
            rebalance_timeout_ms=REBALANCE_SECONDS * 1000,
            max_poll_interval_ms=300_000,
        )
        subscriber(self._receive)
        return broker

    async def _parse(self, records: Any, default: Any) -> Any:
        message = await tolerant(records, default)
        ends = {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}
        self._own = message.consumer = _OwnOffsets(message.consumer, ends)
        return message

    async def _receive(self, records: tuple[ConsumerRecord[Any, Any], ...]) -> None:
        try:
            behind = await self._behind(records)
            whole = [
                record for record in records if TopicPartition(record.topic, record.partition) not in behind
            ]
            if whole:
                await self._handle([_record(record) for record in whole])
        except Exception as problem:
            _log.warning("batch_redelivered", group=self._group, cause=type(problem).__name__)
            await asyncio.sleep(RETRY_SECONDS)
            raise
        for record in whole:
            self._drain.expected[TopicPartition(record.topic, record.partition)] = record.offset + 1
        BEHIND_GAUGE.labels(self._group).set(len(self._drain.behind))

    async def _behind(self, records: Sequence[ConsumerRecord[Any, Any]]) -> set[TopicPartition]:
        """Refuse a silent jump: Kafka resets a position whose records retention deleted.

        Such a partition is told, paused and left where it was until an operator decides; the others go on.
        """
        firsts: dict[TopicPartition, int] = {}
        for record in records:
            firsts.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        behind: set[TopicPartition] = set()
        for place, first in firsts.items():
            position = self._drain.expected.get(place)
            if position is None:
                position = await self._drain.subscriber.consumer.committed(place)
            if position is not None and first > position:
                behind.add(place)
                self._drain.subscriber.consumer.pause(place)
                if self._own is not None:
                    self._own.offsets.pop(place, None)
                self._alarm(place, position, first)
        return behind

    def _alarm(self, place: TopicPartition, position: int, oldest: int) -> None:
        self._drain.behind.add(place)
        BEHIND_GAUGE.labels(self._group).set(len(self._drain.behind))
        topic, partition = place
        fault = BUS_GROUP_BEHIND(
            group=self._group, topic=topic, partition=partition, position=position, oldest=oldest
        )
        _log.error("group_behind_retention", reason=fault.code, **fault.metadata)


def _record(record: ConsumerRecord[Any, Any]) -> Record:
    return Record(
        record.topic,
        record.partition,
        record.offset,
        record.key,
        tuple(record.headers),
        record.value,
        from_milliseconds(record.timestamp),
    )
