"""Rules of messaging that a reader of one file cannot see, and the pure parts of its code."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from chassis.bus import BusConfig, NewRecord, Refused
from chassis.bus.placing import hash_key
from chassis.bus.port import dump_headers, load_headers, sift
from chassis.errors import (
    DEADLINE_PASSED,
    ETAG_MISMATCH,
    FIELD_TOO_LONG,
    PEER_UNAVAILABLE,
    REQUEST_IN_PROGRESS,
)
from chassis.failures import describe, is_outage
from chassis.outbox import shard_of

ROOT = Path(__file__).parents[3]
KAFKA = ROOT / "chassis" / "bus" / "kafka"

FORBIDDEN = {
    "a subscriber of its own": r"\.subscriber\(",
    "a broker of its own": r"\b(KafkaBroker|KafkaRouter|AIOKafkaProducer|AIOKafkaConsumer|from faststream)\b",
    "FastStream's lossy default": r"\bACK_FIRST\b(?! loses)",
    "a transactional producer": r"\b(transactional_id|send_offsets_to_transaction)\b",
}


def sources() -> list[Path]:
    folders = ("chassis", "services", "events", "cli")
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py") if KAFKA not in path.parents]


@pytest.mark.promise("P5")
@pytest.mark.parametrize("rule", FORBIDDEN)
def test_only_the_kafka_transport_talks_to_kafka(rule: str) -> None:
    pattern = re.compile(FORBIDDEN[rule])
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == [], f"{rule} outside chassis/bus/kafka"


@pytest.mark.promise("P5")
def test_the_kafka_transport_is_at_least_once_and_not_transactional() -> None:
    text = "\n".join(path.read_text() for path in KAFKA.glob("*.py"))
    assert text.count(".subscriber(") == 1
    assert "AckPolicy.NACK_ON_ERROR" in text
    for forbidden in ("AckPolicy.ACK", "transactional_id", "max_workers"):
        assert forbidden not in text
    for setting in ('auto_offset_reset="earliest"', "batch=True", "enable_idempotence=True", 'acks="all"'):
        assert setting in text


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.none() | st.binary())))
def test_headers_survive_their_text(pairs: list[tuple[str, bytes | None]]) -> None:
    text = dump_headers(tuple(pairs))
    assert text.isascii()
    assert load_headers(text) == tuple(pairs)


def record(key: bytes, topic: str = "t", size: int = 1) -> NewRecord:
    return NewRecord(topic, key, (), b"x" * size)


def test_a_refused_record_holds_back_later_ones_of_its_key_only() -> None:
    large = 1024 * 1024
    outcomes = sift([record(b"a", size=large), record(b"b"), record(b"a"), record(b"c", "missing")], {"t"})
    assert outcomes == [
        Refused("RECORD_TOO_LARGE"),
        None,
        Refused("an earlier event of this key is held", behind=True),
        Refused("BUS_TOPIC_MISSING"),
    ]


def test_shards_are_the_same_in_every_process() -> None:
    assert [shard_of(key, 8) for key in ("case-1", "case-2", "事项")] == [6, 4, 7]
    assert {shard_of(f"case-{number}", 4) for number in range(100)} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "problem",
    [
        PEER_UNAVAILABLE(peer="seal"),
        DEADLINE_PASSED(),
        REQUEST_IN_PROGRESS(),
        asyncpg.DeadlockDetectedError(),
        asyncpg.SerializationError(),
        asyncpg.QueryCanceledError(),
        asyncpg.LockNotAvailableError(),
        asyncpg.AdminShutdownError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.InterfaceError("connection is closed"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_what_passes_by_itself_is_an_outage(problem: Exception) -> None:
    assert is_outage(problem)


@pytest.mark.parametrize(
    "problem",
    [
        ETAG_MISMATCH(),
        asyncpg.UniqueViolationError(),
        asyncpg.UndefinedTableError(),
        asyncpg.exceptions._base.DataError("wrong argument"),
        ValueError(),
        FileNotFoundError(),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_what_stays_wrong_is_the_events_fault(problem: Exception) -> None:
    assert not is_outage(problem)


def test_a_cause_names_the_place_and_never_quotes_the_message() -> None:
    with pytest.raises(ValueError) as raised:
        int("somebody's name")
    cause = describe(raised.value)
    assert "somebody" not in cause
    assert re.fullmatch(r"ValueError at test_messaging_rules\.py:\d+", cause)
    assert describe(PEER_UNAVAILABLE(peer="seal")) == "PEER_UNAVAILABLE: seal is unavailable; try again"


def test_a_fault_raised_without_what_its_text_names_is_still_described() -> None:
    assert describe(FIELD_TOO_LONG(other=1)) == "FIELD_TOO_LONG"


async def test_a_batch_that_cannot_even_be_parked_does_not_come_back_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FastStream seeks back without a pause: 600 redeliveries a second of one failing batch, measured."""
    from aiokafka import ConsumerRecord, TopicPartition

    from chassis.bus.kafka import consumer as kafka

    async def fail(_: object) -> None:
        raise KeyError

    monkeypatch.setattr(kafka, "RETRY_SECONDS", 0.2)
    connection = kafka.Connection.of(BusConfig("kafka", "x", kafka_bootstrap="127.0.0.1:1"))
    member = kafka.KafkaConsumer(connection, "g", ("t",), fail)
    member._drain.expected[TopicPartition("t", 0)] = 0
    record = ConsumerRecord("t", 0, 0, 0, 0, b"k", b"v", None, 1, 1, ())
    started = asyncio.get_running_loop().time()
    with pytest.raises(KeyError):
        await member._receive((record,))
    assert asyncio.get_running_loop().time() - started >= 0.2


async def test_a_member_whose_leases_are_no_longer_renewed_ends_instead_of_reading_nothing() -> None:
    from chassis.bus.postgres_group import GroupMember

    class Broken(GroupMember):
        async def _connect(self, purpose: str) -> Any:
            if purpose == "lease":
                raise KeyError("bug")
            raise ConnectionRefusedError

    async def handle(_: object) -> None:
        """Never called."""

    member = Broken(BusConfig("postgres", "x", postgres_dsn="postgresql:///x"), "g", ("t",), handle)
    async with asyncio.timeout(5):
        with pytest.raises(KeyError):
            await member.run(asyncio.Event())


def test_a_member_that_lost_a_partition_no_longer_alarms_for_it() -> None:
    from chassis.bus.postgres_group import BEHIND_GAUGE, GroupMember, Held

    async def handle(_: object) -> None:
        """Never called."""

    member = GroupMember(BusConfig("postgres", "x"), "behind", ("t",), handle)
    member._held[("t", 0)] = Held(0, 1)
    member._alarm(("t", 0), 5)
    assert BEHIND_GAUGE.labels("behind")._value.get() == 1
    member._settle([], [])
    assert BEHIND_GAUGE.labels("behind")._value.get() == 0


@pytest.mark.parametrize("kind", ["kafka", "postgres"])
async def test_a_bus_without_an_address_is_a_configuration_error(kind: str) -> None:
    from chassis.bus import open_bus

    with pytest.raises(ValueError, match="needs"):
        await open_bus(BusConfig(kind, "x"))  # type: ignore[arg-type]


@given(st.binary(max_size=70))
def test_a_key_has_the_partition_that_the_kafka_clients_give_it(key: bytes) -> None:
    assert hash_key(key) == int(murmur2(key)) & 0x7FFFFFFF
