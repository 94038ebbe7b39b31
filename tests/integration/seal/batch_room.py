"""A batch through the door of a running seal process, watched from outside. Not a test module."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from chassis.rpc.channel import PeerChannel
from chassis.rpc.peer import Peer
from tests.integration.seal.process_room import DEPARTMENT, Stack
from tongban.seal.v1 import seal_pb2, seal_pb2_grpc, use_pb2

OWN, OPERATOR = Peer("department", DEPARTMENT), Peer("operator", "ops-1")
NOTICE, ITEM = use_pb2.DOCUMENT_TYPE_NOTICE, "item-1"
AT = use_pb2.Placement(at=use_pb2.Placement.At(page=1, x_mm=100, y_mm=100))
_TICKS = os.sysconf("SC_CLK_TCK")


class Watched:
    """A running process as the kernel counts it."""

    def __init__(self, pid: int) -> None:
        self._proc = Path("/proc") / str(pid)

    @property
    def resident_mib(self) -> float:
        """What lies in memory now."""
        return self._status("VmRSS")

    @property
    def peak_mib(self) -> float:
        """The most that ever lay in memory."""
        return self._status("VmHWM")

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _status(self, name: str) -> float:
        line = next(
            each for each in (self._proc / "status").read_text().splitlines() if each.startswith(name)
        )
        return round(int(line.split()[1]) / 1024, 1)


@dataclass
class Outcome:
    """What came back; documents are counted and let go. `resident_mib` is the seal process's by items answered."""

    sealed: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    signature_ids: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    resident_mib: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    last: bytes = b""

    def take(self, answer: use_pb2.SealBatchResponse) -> None:
        """Count an answer; its own progress must say the same, its document be what its signature names."""
        if answer.HasField("sealed"):
            self.sealed += 1
            self.signature_ids.add(answer.sealed.signature.signature_id)
            self.last = answer.sealed.document
            if hashlib.sha256(self.last).hexdigest() != answer.sealed.signature.sha256:
                self.wrong.append(answer.item_id)
        else:
            self.refused[answer.item_id] = answer.refused.message
        if (answer.progress.sealed, answer.progress.refused) != (self.sealed, len(self.refused)):
            self.wrong.append(answer.item_id)

    @property
    def answered(self) -> int:
        """How many items have their answer."""
        return self.sealed + len(self.refused)


async def seal_id_of_department(channel: PeerChannel) -> str:
    """Return the seal of the department that the channel is of."""
    stub = seal_pb2_grpc.SealServiceStub(channel.channel)
    (seal,) = (await channel.call(stub.ListSeals, seal_pb2.ListSealsRequest())).seals
    return str(seal.seal_id)


async def grant_notices(stack: Stack, seal_id: str) -> None:
    """Let the department put its seal under notices."""
    channel = stack.channel(OPERATOR)
    stub = seal_pb2_grpc.SignatureServiceStub(channel.channel)
    request = use_pb2.GrantSealUseRequest(
        request_id=str(uuid.uuid4()), seal_id=seal_id, grantee_kind=use_pb2.GRANTEE_KIND_DEPARTMENT,
        grantee=DEPARTMENT, document_type=NOTICE, service_item=ITEM, operator="张三", second_person="李四",
        reason="批量用印",
    )  # fmt: skip
    await channel.call(stub.GrantSealUse, request)
    await channel.close()


async def send_batch(
    channel: PeerChannel,
    seal_id: str,
    items: Iterable[tuple[str, bytes]],
    seal: Watched,
    marks: Iterable[int],
) -> Outcome:
    """Send one batch and take its answers; note the seal process's memory when so many items are answered."""
    outcome, waiting = Outcome(), sorted(marks)
    stub = seal_pb2_grpc.SignatureServiceStub(channel.channel)
    began = time.monotonic()
    requests = _requests(seal_id, iter(items))
    async for answer in channel.exchange(stub.SealBatch, requests, timeout_seconds=3_000):
        outcome.take(answer)
        while waiting and outcome.answered >= waiting[0]:
            outcome.resident_mib[waiting.pop(0)] = seal.resident_mib
    outcome.seconds = time.monotonic() - began
    return outcome


async def _requests(
    seal_id: str, items: Iterator[tuple[str, bytes]]
) -> AsyncIterator[use_pb2.SealBatchRequest]:
    task = use_pb2.SealTask(
        seal_id=seal_id, document_type=NOTICE, service_item=ITEM, case_id="case-1", placements=[AT]
    )
    yield use_pb2.SealBatchRequest(request_id=str(uuid.uuid4()), task=task)
    for item_id, document in items:
        yield use_pb2.SealBatchRequest(item=use_pb2.BatchItem(item_id=item_id, document=document))


@dataclass(frozen=True)
class Recorded:
    """What the database has: uses by outcome, kept documents, ids of sealings that stand in both."""

    outcomes: dict[str, int]
    documents: int
    signature_ids: frozenset[str]


async def recorded(dsn: str) -> Recorded:
    """Return what the ledger and the store of documents hold."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select outcome, count(*) from seal_use group by outcome")
        documents = await connection.fetchval("select count(*) from sealed_document")
        both = await connection.fetch(
            """select u.signature_id from seal_use u join seal_use_detail using (sequence)
            join sealed_document d using (signature_id) where u.outcome = 'sealed'"""
        )
    finally:
        await connection.close()
    ids = frozenset(str(row["signature_id"]) for row in both)
    return Recorded({row["outcome"]: row["count"] for row in rows}, documents, ids)
