"""The event bus: a port with two transports, Kafka and a PostgreSQL log, that pass one contract suite."""

from __future__ import annotations

from importlib import import_module

from chassis.bus.port import (
    BUS_GROUP_BEHIND,
    BUS_TOPIC_MISSING,
    TOPIC_PARTITIONS,
    BatchHandler,
    Bus,
    BusConfig,
    BusConsumer,
    BusProducer,
    Headers,
    Lag,
    NewRecord,
    Record,
    Refused,
)

__all__ = [
    "BUS_GROUP_BEHIND",
    "BUS_TOPIC_MISSING",
    "TOPIC_PARTITIONS",
    "BatchHandler",
    "Bus",
    "BusConfig",
    "BusConsumer",
    "BusProducer",
    "Headers",
    "Lag",
    "NewRecord",
    "Record",
    "Refused",
    "open_bus",
]


async def open_bus(config: BusConfig) -> Bus:
    """Return the configured transport; only that one's libraries are loaded.

    Raises ValueError for a missing address, PEER_UNAVAILABLE when nothing answers there.
    """
    transport = import_module(f"chassis.bus.{config.kind}")
    bus: Bus = await transport.open_transport(config)
    return bus
