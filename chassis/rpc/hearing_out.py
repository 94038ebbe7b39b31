"""Reading on when a stream is refused: a client that is still writing then never sees why (measured with grpc.aio)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from google.protobuf.message import Message

from chassis.rpc.faults import MAX_MESSAGE_BYTES

SECONDS = 2.0
LARGEST_BYTES = 3 * MAX_MESSAGE_BYTES


async def hear_out(request: Any) -> None:
    """Throw away what is still being sent, for a moment and up to a bound; a single request is there already."""
    if isinstance(request, Message):
        return
    heard = 0
    with suppress(Exception):  # whatever it is, the refusal is what counts
        async with asyncio.timeout(SECONDS):
            async for each in request:
                heard += each.ByteSize()
                if heard > LARGEST_BYTES:
                    return
