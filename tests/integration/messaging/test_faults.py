"""The fault table of the event reference (F1 to F8), each with a canary where one is named.

Small counts and fixed seeds; counts are printed with ``-s``.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from chassis import relay as relay_module
from chassis.bus import Record
from tests.integration.messaging.conftest import BOTH
from tests.integration.messaging.rig import Rig, note_effect, running
from tests.stacks.postgres import PostgresServer

PART = "tests.integration.messaging.part_process"
pytestmark = [pytest.mark.promise("P2")]


async def start(rig: Rig, part: str, fault: str, once: Path) -> asyncio.subprocess.Process:
    settings = {
        "writer": rig.writer_dsn,
        "reader": rig.reader_dsn,
        "bus": {name: value for name, value in asdict(rig.config).items() if value is not None},
        "topic": rig.topic,
        "group": rig.group,
        "once": str(once),
    }
    return await asyncio.create_subprocess_exec(sys.executable, "-m", PART, part, json.dumps(settings), fault)


async def killed(process: asyncio.subprocess.Process, seconds: float = 60) -> None:
    """Wait until the process has ended itself."""
    async with asyncio.timeout(seconds):
        assert await process.wait() == -signal.SIGKILL


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


def report(records: Sequence[Record], moves: Sequence[tuple[Any, str, int]]) -> dict[str, int]:
    """Missing, duplicates, and inversions among first occurrences, of the bus against the outbox."""
    version_of = {str(event_id): (key, version) for event_id, key, version in moves}
    ids = [dict(record.headers)["ce_id"].decode() for record in records]  # type: ignore[union-attr]
    seen: dict[str, int] = {}
    inversions = 0
    for event_id in dict.fromkeys(ids):
        key, version = version_of[event_id]
        inversions += version != seen.get(key, 0) + 1
        seen[key] = version
    missing = len(version_of.keys() - set(ids))
    found = {
        "sent": len(moves),
        "missing": missing,
        "duplicates": len(ids) - len(set(ids)),
        "inversions": inversions,
    }
    print(found)
    return found


def assert_each_once(effects: Sequence[asyncpg.Record], moves: Sequence[tuple[Any, str, int]]) -> None:
    assert sorted(row["event_id"] for row in effects) == sorted(event_id for event_id, _, _ in moves)
    for key in {row["key"] for row in effects}:
        numbers = [row["number"] for row in effects if row["key"] == key]
        assert numbers == sorted(numbers)


@BOTH
@pytest.mark.promise("P4")
async def test_f1_a_relay_killed_between_send_and_mark_loses_nothing(rig: Rig, tmp_path: Path) -> None:
    kills = 3
    for _ in range(kills):
        for number in range(30):
            await rig.move(f"k{number % 4}")
        await killed(await start(rig, "relay", "between-send-and-mark", tmp_path / "once"))
    async with running(rig.relay(poll_seconds=0.2)):
        async with asyncio.timeout(30):
            while await rig.writer.pool.fetchval("select count(*) from event_log where published_at is null"):
                await asyncio.sleep(0.1)
    found = report(await rig.log(), await rig.all_moves())
    assert found["missing"] == found["inversions"] == 0
    assert found["duplicates"] <= kills * 90


async def test_f1_canary_a_relay_that_marks_first_loses_events(rig: Rig, tmp_path: Path) -> None:
    for number in range(30):
        await rig.move(f"k{number % 4}")
    await killed(await start(rig, "relay", "canary-mark-first", tmp_path / "once"))
    await rig.move("k0")
    async with running(rig.relay()):
        records = await rig.log()
    assert len({record.headers for record in records}) == 1


@BOTH
@pytest.mark.parametrize("moment", ["before-effect-commit", "between-effect-and-offset"])
async def test_f2_a_consumer_killed_anywhere_has_every_effect_once(
    rig: Rig, tmp_path: Path, moment: str
) -> None:
    for number in range(40):
        await rig.move(f"k{number % 4}")
    async with running(rig.relay()):
        await killed(await start(rig, "consumer", moment, tmp_path / "once"))
        async with running(rig.consumer()):
            effects = await rig.settled(40)
    assert_each_once(effects, await rig.all_moves())


async def test_f2_canary_without_an_inbox_effects_double(rig: Rig, tmp_path: Path) -> None:
    for number in range(40):
        await rig.move(f"k{number % 4}")
    async with running(rig.relay()):
        await killed(await start(rig, "consumer", "canary-no-inbox", tmp_path / "once"))
        second = await start(rig, "consumer", "canary-no-inbox", tmp_path / "once")
        try:
            effects = await rig.settled(41)
        finally:
            await end(second)
    assert len(effects) > 40


@BOTH
async def test_f4_handler_errors_and_a_kill_lose_nothing(rig: Rig, tmp_path: Path) -> None:
    chance, failed = random.Random(4), set()
    for _ in range(300):
        await rig.move(f"k{chance.randrange(20)}")
    unlucky = set(chance.sample(sorted(str(event_id) for event_id, _, _ in await rig.all_moves()), 9))

    async def fail_first(tx: Any, event: Any, envelope: Any, prepared: Any) -> None:
        event_id = str(envelope.event_id)
        if event_id in unlucky and event_id not in failed:
            failed.add(event_id)
            raise ValueError("on purpose")
        await note_effect(tx, event, envelope, prepared)

    async with running(rig.relay()):
        await killed(await start(rig, "consumer", "between-effect-and-offset", tmp_path / "once"))
        async with running(rig.consumer(fail_first)):
            effects = await rig.settled(300)
    assert_each_once(effects, await rig.all_moves())
    assert await rig.reader.pool.fetchval("select count(*) from dead_letter") == 0


@pytest.mark.promise("P4")
async def test_f5_concurrent_writers_lose_nothing_and_invert_nothing(rig: Rig, tmp_path: Path) -> None:
    by_cursor: set[int] = set()

    async def read_by_cursor(done: asyncio.Event) -> None:
        """The canary: what a plain ``seq > cursor`` would have published."""
        cursor = 0
        while not done.is_set():
            rows = await rig.writer.pool.fetch(
                "select seq from event_log where seq > $1 order by seq", cursor
            )
            by_cursor.update(row["seq"] for row in rows)
            cursor = rows[-1]["seq"] if rows else cursor
            await asyncio.sleep(0.001)

    done = asyncio.Event()
    canary = asyncio.create_task(read_by_cursor(done))
    async with running(rig.relay(poll_seconds=0.1)):
        writers = [await start(rig, "writer", str(seed), tmp_path / "once") for seed in (5, 6)]
        assert [await writer.wait() for writer in writers] == [0, 0]
        async with asyncio.timeout(30):
            while await rig.writer.pool.fetchval("select count(*) from event_log where published_at is null"):
                await asyncio.sleep(0.1)
    done.set()
    await canary
    found = report(await rig.log(), await rig.all_moves())
    assert (found["sent"], found["missing"], found["duplicates"], found["inversions"]) == (600, 0, 0, 0)
    print("lost by the cursor:", 600 - len(by_cursor))
    assert len(by_cursor) < 600, "the canary lost nothing: this run proves nothing"


async def test_f6_a_transaction_that_began_early_and_writes_later_keeps_its_place(rig: Rig) -> None:
    async with rig.writer.transaction() as early:
        await early.execute("insert into counter (key, version) values ('other', 1)")  # takes its xid now
        await rig.move("k")
        await early.execute("update counter set version = 2 where key = 'k'")
        early.publish(rig.event(counter_id="k", number=2), 2)
    by_xid = await rig.writer.pool.fetch("select version from event_log order by xmin::text::bigint, seq")
    assert [row["version"] for row in by_xid] == [2, 1], "the canary order by (xid, seq) inverts them"
    async with running(rig.relay(), rig.consumer()):
        effects = await rig.settled(2)
    assert [row["number"] for row in effects] == [1, 2]


@pytest.mark.promise("P4")
async def test_f7_a_lost_bus_is_rebuilt_from_the_outbox(
    rig: Rig, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chassis.messaging_schema import BUS_V1

    monkeypatch.setattr(relay_module, "CLUSTER_CHECK_SECONDS", 0.3)
    async with running(rig.relay(), rig.consumer()):
        for number in range(20):
            await rig.move(f"k{number % 4}")
        before = await rig.settled(20)
        dsn = rig.config.postgres_dsn or ""
        await postgres_server.drop_database(dsn)
        await rig.move("k0")  # committed while there is no bus
        await postgres_server.create_database(BUS_V1, urlsplit(dsn).path[1:])
        await rig.bus.create_topics([rig.topic], 4)
        after = await rig.settled(21)
        assert len(await rig.log()) == 21
    assert after[:20] == before
    assert_each_once(after, await rig.all_moves())


@BOTH
async def test_f8_poison_is_parked_with_its_cause_and_other_keys_go_on(rig: Rig) -> None:
    async def fail_on_note(tx: Any, event: Any, envelope: Any, prepared: Any) -> None:
        if event.note == "bug":
            raise KeyError("a secret of somebody")
        await note_effect(tx, event, envelope, prepared)

    good = b'{"counter_id": "%s", "number": 1}'
    async with running(rig.consumer(fail_on_note)):
        await rig.raw("json", b'{"counter_id": ')
        await rig.raw("null", None)
        await rig.raw("nullheader", good % b"nullheader", ("ce_id", None))
        await rig.raw("notutf8", good % b"notutf8", ("ce_time", b"\xff\xfe"))
        await rig.raw("subject", good % b"subject", ("ce_subject", b"somebody else"))
        await rig.raw("type", good % b"type", ("ce_type", b"intake.NeverHeardOf.v1"))
        await rig.raw("bug", b'{"counter_id": "bug", "number": 1, "note": "bug"}')
        await rig.raw("bug", b'{"counter_id": "bug", "number": 2}', version=2)
        await rig.raw("large", b'{"counter_id": "large", "number": 1, "note": "%s"}' % (b"x" * (901 * 1024)))
        for number in range(20):
            await rig.raw(f"fine{number}", good % (b"fine%d" % number))
        effects = await rig.settled(21)
    assert {row["key"] for row in effects} == {"large", *(f"fine{number}" for number in range(20))}
    rows = await rig.reader.pool.fetch("select key, cause, attempts from dead_letter order by dead_letter_id")
    causes = {(row["key"], row["cause"].split(":")[0].split(" at ")[0], row["attempts"]) for row in rows}
    assert causes == {
        ("json", "The event cannot be read", 0),
        ("null", "The event cannot be read", 0),
        ("nullheader", "The event cannot be read", 0),
        ("notutf8", "The event cannot be read", 0),
        ("subject", "The event cannot be read", 0),
        ("bug", "KeyError", 3),
        ("bug", "BEHIND_PARKED_EVENT", 0),
    }
    assert not any("secret" in row["cause"] for row in rows)


async def test_f8_an_event_that_ends_the_process_is_parked_after_its_attempts(
    rig: Rig, tmp_path: Path
) -> None:
    for number in range(10):
        await rig.move(f"k{number}")
    await rig.move("killer", note="poison")
    await rig.move("killer")
    async with running(rig.relay()):
        kills = 0
        while not await rig.reader.pool.fetchval("select count(*) from dead_letter"):
            process = await start(rig, "consumer", "always-kill", tmp_path / "once")
            try:
                async with asyncio.timeout(20):
                    while process.returncode is None and not await rig.reader.pool.fetchval(
                        "select count(*) from dead_letter"
                    ):
                        await asyncio.sleep(0.05)
            finally:
                await end(process)
            kills += 1
            assert kills <= 6
        async with running(rig.consumer()):
            effects = await rig.settled(10)
    assert {row["key"] for row in effects} == {f"k{number}" for number in range(10)}
    rows = await rig.reader.pool.fetch("select key, cause, attempts from dead_letter order by dead_letter_id")
    assert [tuple(row) for row in rows] == [
        ("killer", "PROCESS_ENDED", 3),
        ("killer", "BEHIND_PARKED_EVENT", 0),
    ]
