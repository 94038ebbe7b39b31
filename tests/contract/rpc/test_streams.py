"""What a server stream holds is given back when its caller has left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tests.contract.rpc.test_calls import servicer_of


async def test_a_stream_that_the_caller_leaves_is_cleaned_up_at_once(start, stubs) -> None:
    left = asyncio.Event()

    async def watch_counts(messages: Any, _request: Any, _context: Any) -> AsyncIterator[Any]:
        try:
            while True:
                yield messages.WatchCountsResponse(count=1)
                await asyncio.sleep(0.01)
        finally:
            await asyncio.sleep(0)  # e.g. the return of a connection
            left.set()

    running = await start(servicer_of(stubs, WatchCounts=watch_counts))
    channel = running.channel("department", "361103-market")
    parts = channel.stream(running.stub(channel).WatchCounts, stubs.messages.WatchCountsRequest(until=3))
    async for _ in parts:
        break
    await parts.aclose()
    async with asyncio.timeout(2):
        await left.wait()
