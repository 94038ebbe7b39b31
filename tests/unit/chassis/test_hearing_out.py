"""A refused stream is heard out, for a moment and up to a bound, so that its sender learns why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from google.protobuf.wrappers_pb2 import BytesValue

from chassis.rpc import hearing_out
from chassis.rpc.hearing_out import hear_out

LARGE = BytesValue(value=bytes(1 << 20))


async def test_what_is_still_being_sent_is_read_to_its_end() -> None:
    sent = 0

    async def requests() -> AsyncIterator[BytesValue]:
        nonlocal sent
        for _ in range(5):
            sent += 1
            yield LARGE

    await hear_out(requests())
    assert sent == 5
    await hear_out(LARGE)


async def test_an_endless_a_silent_and_a_broken_stream_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing_out, "SECONDS", 0.2)
    sent = 0

    async def endless() -> AsyncIterator[BytesValue]:
        nonlocal sent
        while True:
            sent += 1
            yield LARGE

    async def silent() -> AsyncIterator[BytesValue]:
        await asyncio.sleep(60)
        yield LARGE

    async def broken() -> AsyncIterator[BytesValue]:
        raise RuntimeError
        yield LARGE

    began = time.monotonic()
    for stream in (endless(), silent(), broken()):
        await hear_out(stream)
    assert time.monotonic() - began < 5
    assert sent <= hearing_out.LARGEST_BYTES // len(LARGE.value) + 1
