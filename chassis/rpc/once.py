"""``request_id`` on gRPC methods: one line in a servicer gives one effect and equal answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from google.protobuf.message import Message

from chassis import requests
from chassis.db import Transaction
from chassis.requests import DEPARTMENT_RETENTION, UNENCRYPTED, AnswerCipher
from chassis.rpc.call import caller

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)


async def once(
    tx: Transaction,
    request: Req,
    answer: type[Res],
    work: Callable[[], Awaitable[Res]],
    *,
    cipher: AnswerCipher = UNENCRYPTED,
    retention: timedelta = DEPARTMENT_RETENTION,
) -> Res:
    """Return what ``work`` answers, or the stored answer of an equal request of the same caller.

    ``work`` must run in ``tx``. Raises REQUEST_ID_REUSED and REQUEST_IN_PROGRESS.
    """

    async def serialised() -> bytes:
        return (await work()).SerializeToString()

    stored = await requests.once(
        tx,
        caller=caller().key,
        method=request.DESCRIPTOR.full_name,
        request_id=getattr(request, "request_id"),  # noqa: B009 - the field is known to exist, not to the types
        fingerprint=message_fingerprint(request),
        work=serialised,
        cipher=cipher,
        retention=retention,
    )
    return answer.FromString(stored)


def message_fingerprint(request: Message) -> bytes:
    """Return the fingerprint of a request without its ``request_id``."""
    content = type(request)()
    content.CopyFrom(request)
    content.ClearField("request_id")
    return requests.fingerprint(content.SerializeToString(deterministic=True))
