"""SignatureService behind real mutual TLS over the test's database, and callers of it. Not a test module."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import Fault
from chassis.rpc.channel import PeerChannel, open_channel, service
from chassis.rpc.peer import Peer
from chassis.rpc.server import RpcServer
from cli.local.authority import Authority as CertificateAuthority
from cli.local.authority import open_authority
from services.seal.app.pdf_press import PadesPress
from services.seal.clients.timestamps import RfcTimestamper, StampingPlace
from services.seal.rpc import Desk, SignatureServicer, add_signature_service
from services.seal.usecases.companions import Companions
from services.seal.usecases.ledger_time import stamp_ledger
from services.seal.usecases.read_register import check_ledger
from tests.integration.seal.conftest import GUANGFENG, UNSEALED, YUSHAN, SealWorld
from tests.unit.seal.sealing_room import sm2
from tests.unit.seal.stamping_room import p256, trust_of
from tongban.seal.v1 import seal_pb2 as pb
from tongban.seal.v1 import seal_pb2_grpc, use_pb2

OPERATOR, OWN, OTHER = (
    Peer("operator", "ops-1"),
    Peer("department", GUANGFENG.code),
    Peer("department", YUSHAN.code),
)
CHUNK = 7_000
NOTICE = use_pb2.DOCUMENT_TYPE_NOTICE
AT = use_pb2.Placement(at=use_pb2.Placement.At(page=1, x_mm=130, y_mm=220))
SHA256 = hashlib.sha256(UNSEALED).hexdigest()
PEOPLE = {"operator": "张三", "second_person": "李四", "reason": "年度授权"}


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Doors:
    """A running server and its callers."""

    world: SealWorld
    authority: CertificateAuthority
    stack: AsyncExitStack
    seal_id: str = ""
    channels: dict[Peer, PeerChannel] = field(default_factory=dict)

    async def open(self) -> None:
        world = self.world
        stamps = [StampingPlace("here", world.stamping)]
        trust = trust_of(world.workshop.pki)
        stamper = RfcTimestamper(p256(), stamps, lambda _anew: trust, world.clock)
        world.cabinet.companions = Companions(PadesPress(p256()), world.signer, stamper)
        self.desk = Desk(world.database, world.unit.work, world.cabinet, world.clock)
        self.server = RpcServer(self.authority.identity(service("seal")), reflect=False)
        self.server.register(add_signature_service, SignatureServicer(self.desk))
        self.port = await self.server.start("127.0.0.1:0")
        self.stack.push_async_callback(self.server.drain, notice_seconds=0, grace_seconds=0.5)
        self.seal_id = (await world.seal_of(GUANGFENG)).seal_id

    def channel(self, peer: Peer) -> PeerChannel:
        if peer not in self.channels:
            at = f"127.0.0.1:{self.port}"
            made = open_channel(at, service("seal"), self.authority.identity(peer), limit_seconds=30)
            self.channels[peer] = made
            self.stack.push_async_callback(made.close)
        return self.channels[peer]

    def stub(self, peer: Peer) -> Any:
        return seal_pb2_grpc.SignatureServiceStub(self.channel(peer).channel)

    async def call(self, method: str, request: Any, peer: Peer = OPERATOR) -> Any:
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = new_id()
        return await self.channel(peer).call(getattr(self.stub(peer), method), request)

    async def grant(self, peer: Peer = OWN, **changed: Any) -> use_pb2.SealGrant:
        """Grant notices of item-1 to a department."""
        said = {
            "seal_id": self.seal_id, "grantee_kind": use_pb2.GRANTEE_KIND_DEPARTMENT, "grantee": peer.name,
            "document_type": NOTICE, "service_item": "item-1", **PEOPLE,
        } | changed  # fmt: skip
        return (await self.call("GrantSealUse", use_pb2.GrantSealUseRequest(**said))).grant

    async def rules(self, **said: int) -> use_pb2.SealRules:
        present = await self.call("GetSealRules", use_pb2.GetSealRulesRequest(seal_id=self.seal_id))
        request = use_pb2.ChangeSealRulesRequest(
            seal_id=self.seal_id, etag=present.rules.etag, **said, **PEOPLE
        )
        return (await self.call("ChangeSealRules", request)).rules

    def task(self, **changed: Any) -> use_pb2.SealTask:
        said = {"seal_id": self.seal_id, "document_type": NOTICE, "service_item": "item-1", "case_id": "case-1",
                "placements": [AT]} | changed  # fmt: skip
        return use_pb2.SealTask(**said)

    async def seal(
        self,
        document: bytes = UNSEALED,
        peer: Peer = OWN,
        request_id: str = "",
        **changed: Any,
    ) -> tuple[use_pb2.DocumentSignature, bytes]:
        """Send a document in chunks; return its signature and the sealed bytes."""
        request_id = request_id or new_id()

        async def requests() -> AsyncIterator[use_pb2.SealDocumentRequest]:
            yield use_pb2.SealDocumentRequest(request_id=request_id, task=self.task(**changed))
            for start in range(0, len(document), CHUNK):
                yield use_pb2.SealDocumentRequest(chunk=document[start : start + CHUNK])

        signature, chunks = None, []
        async for answer in self.channel(peer).exchange(self.stub(peer).SealDocument, requests()):
            if answer.WhichOneof("part") == "signature":
                signature = answer.signature
            else:
                chunks.append(answer.chunk)
        assert signature is not None
        return signature, b"".join(chunks)

    async def batch(
        self, items: Iterable[tuple[str, bytes]], peer: Peer = OWN, request_id: str = "", **changed: Any
    ) -> list[use_pb2.SealBatchResponse]:
        """Send documents as one batch; return the answers as they came."""

        async def requests() -> AsyncIterator[use_pb2.SealBatchRequest]:
            yield use_pb2.SealBatchRequest(request_id=request_id or new_id(), task=self.task(**changed))
            for item_id, document in items:
                yield use_pb2.SealBatchRequest(item=use_pb2.BatchItem(item_id=item_id, document=document))

        return [each async for each in self.channel(peer).exchange(self.stub(peer).SealBatch, requests())]

    async def uses(self, peer: Peer = OPERATOR, **wanted: Any) -> Sequence[pb.SealUse]:
        return (await self.call("ListSealUses", pb.ListSealUsesRequest(**wanted), peer)).uses

    async def outcomes(self) -> list[str]:
        rows = await self.world.rows("select outcome from seal_use order by sequence")
        return [row["outcome"] for row in rows]


@pytest.fixture
async def doors(stocked: SealWorld, tmp_path: Path) -> AsyncIterator[Doors]:
    async with AsyncExitStack() as stack:
        made = Doors(stocked, open_authority(tmp_path), stack)
        await made.open()
        yield made


async def refusal(call) -> Fault:
    with pytest.raises(Fault) as refused:
        await call
    return refused.value


async def keep_time(world: SealWorld) -> None:
    """Have the ledger stamped, as the process does all the time: the clock leaps here."""
    await stamp_ledger(world.unit, world.timekeeping.timestamper, sm2().digest)


async def ledger_holds(world: SealWorld) -> bool:
    async with world.unit() as work:
        return await check_ledger(work, sm2().digest) is None


async def approve(doors: Doors, approver: str, peer: Peer = OPERATOR, sha256: str = SHA256):
    request = use_pb2.ApproveSealUseRequest(
        seal_id=doors.seal_id, document_sha256=sha256, approver=approver, note="同意"
    )
    return await doors.call("ApproveSealUse", request, peer)
