"""One effect and equal answers, whatever arrives in parallel or twice; on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import requests
from chassis.db import Database
from chassis.errors import Fault
from chassis.requests import REQUESTS_V1, fingerprint, forget_expired
from chassis.rpc.once import once
from tests.contract.rpc.test_calls import servicer_of

COUNTER = ("CREATE TABLE counter (count int NOT NULL)", "INSERT INTO counter VALUES (0)")


@pytest.fixture
async def database(fresh_database) -> Any:
    opened = await Database.open(await fresh_database([*REQUESTS_V1, *COUNTER]), max_size=8)
    yield opened
    await opened.close()


def changing(database: Database) -> Any:
    async def change_count(messages: Any, request: Any, _context: Any) -> Any:
        async with database.transaction() as tx:

            async def work() -> Any:
                sql = "UPDATE counter SET count = count + $1 RETURNING count"
                return messages.ChangeCountResponse(count=await tx.fetchval(sql, request.by))

            return await once(tx, request, messages.ChangeCountResponse, work)

    return change_count


async def count(database: Database) -> int:
    return await database.pool.fetchval("SELECT count FROM counter")


@pytest.mark.promise("P6")
async def test_fifty_parallel_equal_requests_have_one_effect_and_equal_answers(
    start, stubs, database
) -> None:
    running = await start(servicer_of(stubs, ChangeCount=changing(database)))
    channel = running.channel("department", "361103-market", limit_seconds=30)
    request = stubs.messages.ChangeCountRequest(request_id=str(uuid.uuid4()), by=3)
    calls = [channel.call(running.stub(channel).ChangeCount, request) for _ in range(50)]
    answers = await asyncio.gather(*calls)
    assert {answer.count for answer in answers} == {3}
    assert await count(database) == 3


async def test_the_same_id_with_other_content_is_refused_and_with_another_caller_is_new(
    start, stubs, database
) -> None:
    running = await start(servicer_of(stubs, ChangeCount=changing(database)))
    ours, theirs = running.channel("department", "a"), running.channel("department", "b")
    request_id = str(uuid.uuid4())
    message = stubs.messages.ChangeCountRequest
    await ours.call(running.stub(ours).ChangeCount, message(request_id=request_id, by=1))
    with pytest.raises(Fault) as refused:
        await ours.call(running.stub(ours).ChangeCount, message(request_id=request_id, by=2))
    assert refused.value.code == "REQUEST_ID_REUSED"
    assert refused.value.metadata["request_id"] == request_id
    await theirs.call(running.stub(theirs).ChangeCount, message(request_id=request_id, by=2))
    assert await count(database) == 3


async def do_once(database: Database, work: Any, **changes: Any) -> bytes:
    given = {
        "caller": "department/a",
        "method": "Change",
        "request_id": "0199d1a2-0000-7000-8000-000000000001",
        "fingerprint": fingerprint(b"content"),
    } | changes
    async with database.transaction() as tx:
        return await requests.once(tx, work=work, **given)


async def test_work_that_failed_is_done_anew(database) -> None:
    async def broken() -> bytes:
        raise RuntimeError

    async def sound() -> bytes:
        return b"done"

    with pytest.raises(RuntimeError):
        await do_once(database, broken)
    assert await do_once(database, sound) == b"done"
    assert await do_once(database, broken) == b"done"


async def test_a_repeat_while_the_first_still_runs_past_the_lock_timeout_is_told_so(database) -> None:
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow() -> bytes:
        begun.set()
        await finish.wait()
        return b"slow"

    async def never() -> bytes:
        raise AssertionError

    first = asyncio.ensure_future(do_once(database, slow))
    await begun.wait()

    async def again() -> None:
        async with database.transaction() as tx:
            await tx.execute("SET LOCAL lock_timeout = '100ms'")
            await requests.once(
                tx,
                caller="department/a",
                method="Change",
                request_id="0199d1a2-0000-7000-8000-000000000001",
                fingerprint=fingerprint(b"content"),
                work=never,
            )

    with pytest.raises(Fault) as refused:
        await again()
    assert refused.value.code == "REQUEST_IN_PROGRESS"
    finish.set()
    assert await first == b"slow"


async def test_answers_are_kept_for_their_retention_only(database) -> None:
    present = datetime(2026, 11, 1, tzinfo=UTC)
    database.now = lambda: present
    answers = iter([b"first", b"second"])

    async def work() -> bytes:
        return next(answers)

    kept = timedelta(hours=24)
    assert await do_once(database, work, retention=kept) == b"first"
    present += timedelta(hours=23, minutes=59)
    assert await do_once(database, work, retention=kept) == b"first"
    present += timedelta(minutes=2)
    assert await do_once(database, work, retention=kept) == b"second"
    present += timedelta(hours=25)
    async with database.transaction() as tx:
        assert await forget_expired(tx) == 1
    assert await database.pool.fetchval("SELECT count(*) FROM stored_answer") == 0


class Reversed:
    def encrypt(self, plain: bytes) -> bytes:
        return plain[::-1]

    def decrypt(self, sealed: bytes) -> bytes:
        return sealed[::-1]


async def test_stored_answers_pass_through_the_cipher(database) -> None:
    async def work() -> bytes:
        return b"name"

    for _ in range(2):
        assert await do_once(database, work, cipher=Reversed()) == b"name"
    assert await database.pool.fetchval("SELECT answer FROM stored_answer") == b"eman"
