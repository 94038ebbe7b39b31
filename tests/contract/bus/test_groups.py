"""C4 to C6, C9 and C10 of the bus contract."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from chassis.bus import Bus, Record
from chassis.messaging_metrics import BUS_COMMIT_FAILURES
from tests.contract.bus.conftest import Reader, Stage, reading

MEMBER = Path(__file__).with_name("member_process.py")


async def start_member(
    stage: Stage, group: str, tmp_path: Path, mode: str = "read"
) -> asyncio.subprocess.Process:
    """Another process of the group; it appends the body of each record it was given to a file."""
    address = stage.config.kafka_bootstrap or stage.config.postgres_dsn or ""
    return await asyncio.create_subprocess_exec(
        sys.executable, str(MEMBER), stage.kind, address, group, stage.topic, str(tmp_path / "seen"), mode
    )


def seen_by_process(tmp_path: Path) -> list[str]:
    path = tmp_path / "seen"
    return path.read_text().split() if path.exists() else []


async def until(condition: object, seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.05)


async def drained(bus: Bus, group: str, topic: str, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while sum(lag.events for lag in await bus.lag(group, [topic])):
            await asyncio.sleep(0.2)


async def test_c4_two_members_share_the_partitions_without_loss_or_overlap(stage: Stage, group: str) -> None:
    working: Counter[int] = Counter()
    overlaps: list[int] = []

    async def slowly(records: Sequence[Record]) -> None:
        partitions = {record.partition for record in records}
        overlaps.extend(partition for partition in partitions if working[partition])
        working.update(partitions)
        await asyncio.sleep(0.05)
        working.subtract(partitions)

    first, second = Reader(slowly), Reader(slowly)
    bodies = [str(number) for number in range(200)]
    async with reading(stage.bus, group, stage.topic, first):
        await stage.append(*(stage.record(f"k{n}", n.encode()) for n in bodies[:50]))
        await first.wait_for(50)
        async with reading(await stage.another(), group, stage.topic, second):
            for start in range(50, 200, 5):
                await stage.append(*(stage.record(f"k{n}", n.encode()) for n in bodies[start : start + 5]))
                await asyncio.sleep(0.2)
            await drained(stage.bus, group, stage.topic)
    assert second.seen, "the second member got no partition"
    assert {(record.body or b"").decode() for record in first.seen + second.seen} == set(bodies)
    assert overlaps == []


async def test_c4_a_killed_members_partitions_move_without_loss(
    stage: Stage, group: str, tmp_path: Path
) -> None:
    process = await start_member(stage, group, tmp_path)
    reader = Reader()
    try:
        await stage.append(*(stage.record(f"k{n}", str(n).encode()) for n in range(40)))
        await until(lambda: len(seen_by_process(tmp_path)) >= 40)
        async with reading(stage.bus, group, stage.topic, reader):
            await stage.append(*(stage.record(f"k{n}", str(n).encode()) for n in range(40, 80)))
            process.kill()
            await stage.append(*(stage.record(f"k{n}", str(n).encode()) for n in range(80, 120)))
            await drained(stage.bus, group, stage.topic)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    seen = {*seen_by_process(tmp_path), *((record.body or b"").decode() for record in reader.seen)}
    assert seen == {str(number) for number in range(120)}


async def test_c5_a_failed_batch_comes_again_and_nothing_is_committed_before_it_succeeds(
    stage: Stage, group: str
) -> None:
    failures = 0

    async def fail_twice(records: Sequence[Record]) -> None:
        nonlocal failures
        if any(record.body == b"7" for record in records) and failures < 2:
            failures += 1
            raise RuntimeError("on purpose")

    await stage.append(*(stage.record("k", str(n).encode()) for n in range(10)))
    reader = Reader(fail_twice)
    async with reading(stage.bus, group, stage.topic, reader):
        await reader.wait_for(10)
        await drained(stage.bus, group, stage.topic)
    assert failures == 2
    assert [int(record.body or b"") for record in reader.seen] == list(range(10))


async def test_c5_a_member_killed_in_its_batch_leaves_it_to_the_next(
    stage: Stage, group: str, tmp_path: Path
) -> None:
    process = await start_member(stage, group, tmp_path, "hang")
    try:
        await stage.append(*(stage.record("k", str(n).encode()) for n in range(10)))
        await until(lambda: len(seen_by_process(tmp_path)) >= 1)
    finally:
        process.kill()
        await process.wait()
    reader = Reader()
    async with reading(stage.bus, group, stage.topic, reader):
        await reader.wait_for(10)
    assert [int(record.body or b"") for record in reader.seen] == list(range(10))


async def test_c6_a_paused_owner_can_no_longer_move_the_offset(
    stage: Stage, group: str, tmp_path: Path
) -> None:
    """The member is stopped inside its batch; past its lease or session the other takes over."""
    process = await start_member(stage, group, tmp_path, "pause")
    reader = Reader()
    try:
        await stage.append(*(stage.record("k", str(n).encode()) for n in range(10)))
        await until(lambda: len(seen_by_process(tmp_path)) >= 1)
        os.kill(process.pid, signal.SIGSTOP)
        async with reading(stage.bus, group, stage.topic, reader):
            await reader.wait_for(10, 60)
            await drained(stage.bus, group, stage.topic)
            await stage.append(stage.record("k", b"10"))
            await reader.wait_for(11)
            await drained(stage.bus, group, stage.topic)
            os.kill(process.pid, signal.SIGCONT)
            await asyncio.sleep(3)  # it finishes its batch and tries to commit
            assert sum(lag.events for lag in await stage.bus.lag(group, [stage.topic])) == 0
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.kill()
        await process.wait()
    assert [int(record.body or b"") for record in reader.seen][:11] == list(range(11))


@pytest.mark.parametrize("stage", ["postgres"], indirect=True)
async def test_c6_a_commit_of_an_older_generation_is_refused(stage: Stage, group: str) -> None:
    """On the PostgreSQL bus taking a partition raises its generation; Kafka's group protocol does the like."""
    import asyncpg

    async def steal(_: Sequence[Record]) -> None:
        connection = await asyncpg.connect(stage.config.postgres_dsn)
        await connection.execute(
            "update grp set gen = gen + 1, owner = gen_random_uuid(), lease = now() + interval '1 s' where grp = $1",
            group,
        )
        await connection.close()
        reader.inspect = None

    before = BUS_COMMIT_FAILURES.labels(group)._value.get()
    await stage.append(stage.record("k", b"1"))
    reader = Reader(steal)
    async with reading(stage.bus, group, stage.topic, reader):
        await reader.wait_for(1)
        await reader.wait_for(2)
        await drained(stage.bus, group, stage.topic)
    assert BUS_COMMIT_FAILURES.labels(group)._value.get() == before + 1
    assert [record.offset for record in reader.seen] == [0, 0]


async def delete_oldest(stage: Stage, count: int) -> None:
    """Delete the oldest records of every partition, as retention would."""
    if stage.kind == "postgres":
        await asyncio.sleep(0.05)
        await stage.bus.prune(0)
        return
    from aiokafka import TopicPartition
    from aiokafka.admin import RecordsToDelete

    async with stage.bus.admin() as admin:  # type: ignore[attr-defined]
        places = [
            TopicPartition(lag.topic, lag.partition)
            for lag in await stage.bus.lag("nobody", [stage.topic])
            if lag.events >= count
        ]
        await admin.delete_records({place: RecordsToDelete(count) for place in places})


async def test_c9_a_group_behind_the_edge_is_told_and_does_not_jump(stage: Stage, group: str) -> None:
    await stage.append(*(stage.record("k", str(n).encode()) for n in range(3)))
    reader = Reader()
    async with reading(stage.bus, group, stage.topic, reader):
        await reader.wait_for(3)
        await drained(stage.bus, group, stage.topic)
    await stage.append(*(stage.record("k", str(n).encode()) for n in range(3, 8)))
    await delete_oldest(stage, 8)
    await stage.append(stage.record("k", b"8"))
    assert [lag.behind for lag in await stage.bus.lag(group, [stage.topic])].count(True) == 1
    late = Reader()
    with capture_logs() as logged:
        async with reading(stage.bus, group, stage.topic, late), asyncio.timeout(20):
            while not (told := [line for line in logged if line["event"] == "group_behind_retention"]):
                await asyncio.sleep(0.1)
    assert {line["reason"] for line in told} == {"BUS_GROUP_BEHIND"}
    assert late.seen == []


async def test_c9_what_is_young_enough_survives(stage: Stage, group: str) -> None:
    await stage.append(*(stage.record(f"k{n}") for n in range(10)))
    assert await stage.bus.prune(3600) == 0
    reader = Reader()
    async with reading(stage.bus, group, stage.topic, reader):
        await reader.wait_for(10)


async def test_c10_a_stop_finishes_the_running_batch_and_takes_no_new_one(stage: Stage, group: str) -> None:
    entered, batches = asyncio.Event(), 0

    async def slowly(_: Sequence[Record]) -> None:
        nonlocal batches
        batches += 1
        entered.set()
        await asyncio.sleep(1.0)

    await stage.append(*(stage.record("k", str(n).encode()) for n in range(5)))
    reader = Reader(slowly)
    async with reading(stage.bus, group, stage.topic, reader) as stop:
        await asyncio.wait_for(entered.wait(), 30)
        stop.set()
        await stage.append(*(stage.record("k", str(n).encode()) for n in range(5, 10)))
    assert batches == 1
    first = [int(record.body or b"") for record in reader.seen]
    assert first == list(range(len(first)))
    rest = Reader()
    async with reading(stage.bus, group, stage.topic, rest):
        await rest.wait_for(10 - len(first))
    assert [int(record.body or b"") for record in rest.seen] == list(range(len(first), 10))
