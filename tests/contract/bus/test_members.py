"""F9: members that start together, join and leave, on both transports."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from chassis.bus import Record
from tests.contract.bus.conftest import Reader, Stage, reading
from tests.contract.bus.test_groups import delete_oldest, drained

STARTS = 8


@pytest.mark.promise("P2")
async def test_f9_two_members_started_together_come_up_eight_times_of_eight(stage: Stage, group: str) -> None:
    bodies: list[str] = []
    for start in range(STARTS):
        first, second = Reader(), Reader()
        fresh = [f"{start}-{number}" for number in range(40)]
        async with (
            reading(stage.bus, group, stage.topic, first),
            reading(await stage.another(), group, stage.topic, second),
        ):
            # Until both work: a member that never gets a partition is one that did not come up.
            async with asyncio.timeout(60):
                while not (first.seen and second.seen):
                    await stage.append(*(stage.record(f"k{body}", body.encode()) for body in fresh))
                    bodies += fresh
                    await asyncio.sleep(0.5)
            await drained(stage.bus, group, stage.topic)
        seen = {(record.body or b"").decode() for record in first.seen + second.seen}
        assert seen >= set(fresh), f"start {start} missed some"
    print({"starts": STARTS, "up": STARTS, "sent": len(bodies)})


async def test_f9_members_that_join_and_leave_during_slow_batches_never_overlap(
    stage: Stage, group: str
) -> None:
    working: Counter[int] = Counter()
    overlaps: list[int] = []
    chance = random.Random(9)

    async def slowly(records: Sequence[Record]) -> None:
        partitions = {record.partition for record in records}
        overlaps.extend(partition for partition in partitions if working[partition])
        working.update(partitions)
        await asyncio.sleep(0.8)
        working.subtract(partitions)

    stays = Reader(slowly)
    guests = [Reader(slowly) for _ in range(3)]
    sent = 0
    async with reading(stage.bus, group, stage.topic, stays):
        for guest in guests:
            async with reading(await stage.another(), group, stage.topic, guest), asyncio.timeout(60):
                while not guest.seen:  # it leaves while batches run
                    fresh = range(sent, sent + 8)
                    await stage.append(*(stage.record(f"k{n}", str(n).encode()) for n in fresh))
                    sent += 8
                    await asyncio.sleep(chance.uniform(0.1, 0.4))
        await drained(stage.bus, group, stage.topic)
    seen = [int(record.body or b"") for reader in (stays, *guests) for record in reader.seen]
    print({"sent": sent, "seen": len(seen), "distinct": len(set(seen)), "overlaps": len(overlaps)})
    assert set(seen) == set(range(sent))
    assert overlaps == []


async def test_f9_partitions_do_not_move_before_their_running_batch_is_committed(
    stage: Stage, group: str
) -> None:
    entered = asyncio.Event()

    async def slowly_at_first(_: Sequence[Record]) -> None:
        if not entered.is_set():
            entered.set()
            await asyncio.sleep(8.0)  # more than twice Kafka's heartbeat, and than the lease

    await stage.append(*(stage.record(f"k{n}", str(n).encode()) for n in range(40)))
    stays, guest = Reader(slowly_at_first), Reader()
    async with reading(stage.bus, group, stage.topic, stays):
        await asyncio.wait_for(entered.wait(), 30)
        async with reading(await stage.another(), group, stage.topic, guest), asyncio.timeout(60):
            number = 40
            while not guest.seen:
                await stage.append(stage.record(f"k{number}", str(number).encode()))
                number += 1
                await asyncio.sleep(0.1)
        await drained(stage.bus, group, stage.topic)
    seen = [int(record.body or b"") for reader in (stays, guest) for record in reader.seen]
    assert sorted(seen) == list(range(number))


async def test_c9_a_partition_behind_the_edge_does_not_stop_the_others(stage: Stage, group: str) -> None:
    known = {"case-1": 0, "case-2": 3}  # two partitions
    await stage.append(*(stage.record(key) for key in known))
    reader = Reader()
    async with reading(stage.bus, group, stage.topic, reader):
        await reader.wait_for(2)
        await drained(stage.bus, group, stage.topic)
    await stage.append(stage.record("case-1", b"lost"))
    await delete_oldest(stage, 2)
    await stage.append(stage.record("case-1", b"after the gap"), stage.record("case-2", b"1"))
    late = Reader()
    async with reading(stage.bus, group, stage.topic, late):
        await late.wait_for(1)
        await stage.append(*(stage.record("case-2", str(n).encode()) for n in range(2, 6)))
        await late.wait_for(5)
        await asyncio.sleep(1.0)
    assert [record.body for record in late.seen] == [b"1", b"2", b"3", b"4", b"5"]
    lags = {lag.partition: lag for lag in await stage.bus.lag(group, [stage.topic])}
    assert lags[0].behind
    assert not lags[3].behind
    assert lags[3].events == 0
