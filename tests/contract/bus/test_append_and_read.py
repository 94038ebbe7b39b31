"""C1 to C3, C7 and C8 of the bus contract."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chassis.bus import BUS_TOPIC_MISSING, NewRecord, Refused
from chassis.errors import Fault
from tests.contract.bus.conftest import Reader, Stage, reading


async def test_c1_an_appended_record_is_there_for_another_client(stage: Stage, group: str) -> None:
    await stage.append(*(stage.record(f"k{n}") for n in range(20)))
    reader = Reader()
    async with reading(await stage.another(), group, stage.topic, reader):
        seen = await reader.wait_for(20)
    assert sorted(record.key for record in seen) == sorted(f"k{n}".encode() for n in range(20))


async def test_c1_a_repeated_append_loses_nothing_and_keeps_first_occurrences_in_order(
    stage: Stage, group: str
) -> None:
    batch = [stage.record("k", str(n).encode()) for n in range(10)]
    await stage.append(*batch[:6])
    await stage.append(*batch)
    reader = Reader()
    async with reading(stage.bus, group, stage.topic, reader):
        await reader.wait_for(10)
        await stage.append(stage.record("k", b"end"))
        while reader.seen[-1].body != b"end":
            await reader.wait_for(len(reader.seen) + 1)
    bodies = list(dict.fromkeys(record.body for record in reader.seen))
    assert bodies == [*(str(n).encode() for n in range(10)), b"end"]


async def test_c1_a_large_append_repeated_in_part_keeps_all_and_their_order(stage: Stage, group: str) -> None:
    batch = [stage.record(f"k{n % 3}", str(n).encode()) for n in range(120)]
    await stage.append(*batch[:70])
    await stage.append(*batch)
    reader = Reader()
    async with reading(stage.bus, group, stage.topic, reader):
        await reader.wait_for(120)
    for key in (b"k0", b"k1", b"k2"):
        bodies = list(dict.fromkeys(record.body for record in reader.seen if record.key == key))
        assert bodies == [record.body for record in batch if record.key == key]


async def test_c1_a_refused_record_holds_back_only_its_own_key(stage: Stage, group: str) -> None:
    producer = stage.bus.producer()
    too_large = stage.record("a", b"x" * (1100 * 1024))
    outcomes = await producer.append(
        [
            stage.record("a", b"1"),
            too_large,
            stage.record("a", b"3"),
            stage.record("b", b"4"),
            replace(stage.record("c"), topic="missing.topic.v1"),
        ]
    )
    await producer.close()
    assert outcomes[0] is None
    assert outcomes[1] == Refused("RECORD_TOO_LARGE")
    assert outcomes[2] is not None
    assert outcomes[2].behind
    assert outcomes[3] is None
    assert outcomes[4] == Refused("BUS_TOPIC_MISSING")
    reader = Reader()
    async with reading(stage.bus, group, stage.topic, reader):
        seen = await reader.wait_for(2)
    assert sorted(record.body or b"" for record in seen) == [b"1", b"4"]


async def test_c2_a_key_keeps_its_partition_and_its_order(stage: Stage, group: str) -> None:
    for start in range(0, 60, 20):
        await stage.append(*(stage.record(f"k{n % 7}", str(n).encode()) for n in range(start, start + 20)))
    reader = Reader()
    async with reading(stage.bus, group, stage.topic, reader):
        seen = await reader.wait_for(60)
    for key in {record.key for record in seen}:
        of_key = [record for record in seen if record.key == key]
        assert len({record.partition for record in of_key}) == 1
        bodies = [int(record.body or b"") for record in of_key]
        assert bodies == sorted(bodies)


async def test_c2_both_transports_place_a_key_alike(stage: Stage, group: str) -> None:
    known = {"case-1": 0, "case-2": 3, "licence-17": 0, "事项": 1}
    await stage.append(*(stage.record(key) for key in known))
    reader = Reader()
    async with reading(stage.bus, group, stage.topic, reader):
        seen = await reader.wait_for(len(known))
    assert {(record.key or b"").decode(): record.partition for record in seen} == known


async def test_c3_every_group_gets_every_record_and_a_new_one_starts_at_the_oldest(
    stage: Stage, group: str
) -> None:
    await stage.append(*(stage.record(f"k{n}") for n in range(10)))
    first, second = Reader(), Reader()
    async with reading(stage.bus, group, stage.topic, first):
        await first.wait_for(10)
    await stage.append(stage.record("late"))
    async with (
        reading(stage.bus, f"{group}b", stage.topic, second),
        reading(stage.bus, group, stage.topic, first),
    ):
        await second.wait_for(11)
        await first.wait_for(11)
    assert len(first.seen) == len(second.seen) == 11


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((("ce_id", b"1"), ("bytes", bytes(range(256))), ("none", None), ("empty", b"")), b"{}"),
        ((), None),
        ((("名", "值".encode()),), b"x" * (900 * 1024)),
        ((("twice", b"1"), ("twice", b"2")), b""),
    ],
    ids=["odd-headers", "null-value", "900-KiB", "repeated-header"],
)
async def test_c7_a_record_comes_out_as_it_went_in(
    stage: Stage, group: str, headers: tuple[tuple[str, bytes | None], ...], body: bytes | None
) -> None:
    at = datetime.now(UTC).replace(microsecond=123_000) - timedelta(minutes=5)
    record = NewRecord(stage.topic, bytes(range(200, 240)), headers, body, uuid.uuid4(), at)
    await stage.append(record)
    reader = Reader()
    async with reading(stage.bus, group, stage.topic, reader):
        (out,) = await reader.wait_for(1)
    assert (out.key, out.headers, out.body, out.at) == (record.key, headers, body, at)


async def test_c8_lag_counts_events_and_knows_the_oldest_unread(stage: Stage, group: str) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    await stage.append(stage.record("k", at=at), stage.record("k", at=at + timedelta(minutes=5)))
    fresh = await stage.bus.lag(group, [stage.topic])
    assert [lag.partition for lag in fresh] == [0, 1, 2, 3]
    assert sum(lag.events for lag in fresh) == 2
    assert [lag.oldest_unread_at for lag in fresh if lag.events] == [at]
    reader = Reader()
    async with reading(stage.bus, group, stage.topic, reader):
        await reader.wait_for(2)
    after = await stage.bus.lag(group, [stage.topic])
    assert all(lag.events == 0 and lag.oldest_unread_at is None and not lag.behind for lag in after)


async def test_a_missing_topic_is_named_and_never_created(stage: Stage) -> None:
    await stage.bus.require_topics([stage.topic])
    with pytest.raises(Fault) as refusal:
        await stage.bus.require_topics([stage.topic, "no.such.v1", "nor.this.v1"])
    assert refusal.value.reason is BUS_TOPIC_MISSING
    assert refusal.value.metadata["topics"] == "no.such.v1, nor.this.v1"


async def test_provisioning_again_changes_nothing(stage: Stage) -> None:
    await stage.bus.create_topics([stage.topic], 9)
    assert len(await stage.bus.lag("any", [stage.topic])) == stage.partitions


async def test_the_store_has_an_id_that_stays(stage: Stage) -> None:
    assert await stage.bus.cluster_id() == await (await stage.another()).cluster_id() != ""
