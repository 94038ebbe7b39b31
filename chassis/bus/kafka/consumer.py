"""At-least-once through FastStream, exactly as measured.

NACK_ON_ERROR, batches, a parser that lets bad headers through to our code, a decoder that keeps raw
records, and a listener that lets the running batch finish before partitions move. FastStream's
default ACK_FIRST loses messages.
"""

from __future__ import annotations

import asyncio
import contextlib
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
from chassis.bus.port import BUS_GROUP_BEHIND, BatchHandler, Record, from_milliseconds
from chassis.messaging_metrics import BUS_COMMIT_FAILURES
from chassis.messaging_metrics import BUS_GROUP_BEHIND as BEHIND_GAUGE

START_RETRY_SECONDS = 1.0
BEHIND_PAUSE_SECONDS = 5.0
RETRY_SECONDS = 0.5
"""Before a failed batch goes back: FastStream itself would redeliver it at once, hundreds of times a second."""
DRAIN_SECONDS = 25.0
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

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Wait for the running batch."""
        await self.subscriber.lock.wait_release(DRAIN_SECONDS)
        for place in revoked:
            self.expected.pop(place, None)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Do nothing: positions are those the group committed."""


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
        self._logger = logging.getLogger(f"tongban.bus.kafka.{group}")
        self._logger.setLevel(logging.WARNING)
        if not self._logger.handlers:
            self._logger.addHandler(_CountCommitFailures(group))

    async def run(self, stop: asyncio.Event) -> None:
        """Read until ``stop``; the running batch gets 30 s to finish."""
        while not stop.is_set():
            broker = self._build()
            try:
                await broker.start()
                await stop.wait()
            except (KafkaError, OSError) as problem:
                _log.warning("bus_unavailable", group=self._group, cause=type(problem).__name__)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), START_RETRY_SECONDS)
            finally:
                await broker.stop()

    def _build(self) -> KafkaBroker:
        config, tls = self._connection.config, self._connection.tls
        broker = KafkaBroker(
            config.kafka_bootstrap or "",
            client_id=config.client_id,
            security=BaseSecurity(ssl_context=tls, use_ssl=True) if tls else None,
            apply_types=False,
            allow_auto_create_topics=False,
            graceful_timeout=30,
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
            parser=tolerant,
            decoder=keep_records,
            listener=self._drain,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=3_000,
            rebalance_timeout_ms=30_000,
            max_poll_interval_ms=300_000,
        )
        subscriber(self._receive)
        return broker

    async def _receive(self, records: tuple[ConsumerRecord[Any, Any], ...]) -> None:
        try:
            await self._watch_position(records)
            await self._handle([_record(record) for record in records])
        except Exception as problem:
            _log.warning("batch_redelivered", group=self._group, cause=type(problem).__name__)
            await asyncio.sleep(RETRY_SECONDS)
            raise
        for record in records:
            self._drain.expected[TopicPartition(record.topic, record.partition)] = record.offset + 1
        BEHIND_GAUGE.labels(self._group).set(0)

    async def _watch_position(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Refuse a silent jump: Kafka resets a position whose records retention deleted."""
        firsts: dict[TopicPartition, int] = {}
        for record in records:
            firsts.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        for place, first in firsts.items():
            position = self._drain.expected.get(place)
            if position is None:
                position = await self._drain.subscriber.consumer.committed(place)
            if position is not None and first > position:
                BEHIND_GAUGE.labels(self._group).set(1)
                fault = BUS_GROUP_BEHIND(
                    group=self._group,
                    topic=place.topic,
                    partition=place.partition,
                    position=position,
                    oldest=first,
                )
                _log.error("group_behind_retention", reason=fault.code, **fault.metadata)
                await asyncio.sleep(BEHIND_PAUSE_SECONDS)
                raise fault


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
