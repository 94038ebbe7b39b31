"""One batch: a few documents at work at a time, each answered when it is done, none harmed by another."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

from chassis.errors import (
    BODY_TOO_LARGE,
    FIELD_MALFORMED,
    FIELD_REQUIRED,
    FIELD_TOO_LONG,
    INTERNAL,
    Fault,
    refuse,
)
from chassis.logs import get_logger
from chassis.rpc.faults import to_rich_status
from services.seal.rpc.desk import Desk
from services.seal.rpc.use_messages import signature_message
from services.seal.usecases.use_seal import LONGEST_NAME, SealOrder, SealTask
from tongban.seal.v1 import use_pb2 as pb

log = get_logger(__name__)
ITEMS_AT_ONCE = 4
MAX_ITEM_BYTES = 6 * 1024 * 1024
"""A document and its answer are one message each; a larger one goes through SealDocument."""


class Batch:
    """Seals what comes under one task; it reads no further item while `ITEMS_AT_ONCE` are at work."""

    def __init__(self, desk: Desk, task: SealTask) -> None:
        self._desk, self._task = desk, task
        self._progress = pb.BatchProgress()

    async def run(
        self, requests: AsyncIterator[pb.SealBatchRequest]
    ) -> AsyncGenerator[pb.SealBatchResponse, None]:
        """Yield one answer for each item, in order of completion, with the counts so far."""
        running: set[asyncio.Task[pb.SealBatchResponse]] = set()
        reading: asyncio.Task[pb.SealBatchRequest | None] | None = asyncio.create_task(_next(requests))
        try:
            while reading is not None or running:
                awaited: set[asyncio.Task[object]] = {*running}
                if reading is not None and len(running) < ITEMS_AT_ONCE:
                    awaited.add(reading)
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                if reading is not None and reading in awaited and reading.done():
                    request = reading.result()
                    reading = None
                    if request is not None:
                        running.add(asyncio.create_task(self._answer(request)))
                        reading = asyncio.create_task(_next(requests))
                for done in [each for each in running if each.done()]:
                    running.discard(done)
                    yield self._counted(done.result())
        finally:
            left = [*running, *([reading] if reading is not None else [])]
            for each in left:
                each.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _answer(self, request: pb.SealBatchRequest) -> pb.SealBatchResponse:
        """Return what became of one item; whatever goes wrong with it stays its own."""
        item = request.item
        try:
            stored = await self._desk.seal(self._order(request))
        except Fault as fault:
            return pb.SealBatchResponse(item_id=item.item_id, refused=to_rich_status(fault))
        except Exception:  # the batch goes on
            incident = secrets.token_hex(6)
            log.exception("batch_item_failed", incident=incident)
            return pb.SealBatchResponse(
                item_id=item.item_id, refused=to_rich_status(INTERNAL(incident=incident))
            )
        sealed = pb.SealedItem(signature=signature_message(stored), document=stored.ofd)
        return pb.SealBatchResponse(item_id=item.item_id, sealed=sealed)

    def _order(self, request: pb.SealBatchRequest) -> SealOrder:
        item = request.item
        wrong = [] if request.WhichOneof("part") == "item" else [FIELD_REQUIRED.at("item")]
        for name in ("item_id", "case_id"):
            value: str = getattr(item, name)
            wrong += [FIELD_TOO_LONG.at(f"item.{name}", limit=LONGEST_NAME)] * (len(value) > LONGEST_NAME)
            wrong += [FIELD_MALFORMED.at(f"item.{name}")] * ("\0" in value)
        wrong += [
            FIELD_REQUIRED.at(f"item.{name}") for name in ("item_id", "document") if not getattr(item, name)
        ]
        refuse(wrong)
        if len(item.document) > MAX_ITEM_BYTES:
            raise BODY_TOO_LARGE(limit_bytes=MAX_ITEM_BYTES)
        task = replace(self._task, case_id=item.case_id) if item.case_id else self._task
        return SealOrder(task, item.document, item.item_id)

    def _counted(self, answer: pb.SealBatchResponse) -> pb.SealBatchResponse:
        if answer.HasField("sealed"):
            self._progress.sealed += 1
        else:
            self._progress.refused += 1
        answer.progress.CopyFrom(self._progress)
        return answer


async def _next(requests: AsyncIterator[pb.SealBatchRequest]) -> pb.SealBatchRequest | None:
    return await anext(requests, None)
