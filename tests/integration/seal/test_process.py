"""The real jobs and the real serving process: making apart from signing, the doors, and who may come in."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid

import asyncpg
import pytest

from chassis.bus import BusConfig, NewRecord, open_bus
from chassis.clock import system_clock
from chassis.errors import Fault
from chassis.event import Envelope, new_event_id
from chassis.rpc.channel import service
from chassis.rpc.peer import Peer
from chassis.rpc.server import RpcServer
from events.certs import LicenceMade
from events.seal import DocumentSealed
from tests.integration.seal.process_room import (
    DEPARTMENT,
    Stack,
    certs_with,
    prepared,
    serving,
    signer,
    stack,
)
from tests.unit.seal.sealing_room import ofd_files, pack
from tongban.certs.v1 import licence_pb2_grpc
from tongban.seal.v1 import seal_pb2 as pb
from tongban.seal.v1 import seal_pb2_grpc

__all__ = ["prepared", "serving", "signer", "stack"]


async def test_the_jobs_make_a_seal_for_every_department_and_again_change_nothing(prepared: Stack):
    connection = await asyncpg.connect(prepared.database_dsn)
    count = await connection.fetchval("select count(*) from seal where status = 'active'")
    assert count >= 33
    for word, side in (("make-keys", "signing"), ("make-seals", "maker"), ("verify-ledger", "signing")):
        done = prepared.job(word, side)
        assert done.returncode == 0, done.stdout + done.stderr
    assert await connection.fetchval("select count(*) from seal") == count
    await connection.close()


async def test_the_makers_job_cannot_run_as_the_signing_side_nor_the_other_way_round(prepared: Stack):
    refused = prepared.job("make-seals", "signing")
    assert refused.returncode == 2
    assert "TONGBAN_SEALMAKER_MAKER_KEYSTORE_KEY" in refused.stderr
    refused = prepared.job("serve", "maker")
    assert refused.returncode == 2
    assert "TONGBAN_SEAL_SIGNER_SOCKET" in refused.stderr


async def test_the_doors_answer_operators_and_departments_by_their_right(serving: Stack):
    operator, department = (
        serving.channel(Peer("operator", "ops-1")),
        serving.channel(Peer("department", DEPARTMENT)),
    )
    seals = seal_pb2_grpc.SealServiceStub(operator.channel)
    own = seal_pb2_grpc.SealServiceStub(department.channel)
    (seal,) = (await department.call(own.ListSeals, pb.ListSealsRequest())).seals
    assert (seal.owner_code, seal.status) == (DEPARTMENT, pb.SEAL_STATUS_ACTIVE)
    page = await operator.call(seals.ListSeals, pb.ListSealsRequest(page_size=10))
    assert len(page.seals) == 10
    assert page.next_page_token
    request = pb.ChangeSealStatusRequest(
        request_id=str(uuid.uuid4()), seal_id=seal.seal_id, etag=seal.etag, status=pb.SEAL_STATUS_SUSPENDED,
        reason="保管人离岗", operator="张三",
    )  # fmt: skip
    with pytest.raises(Fault, match="NOT_PERMITTED"):
        await department.call(own.ChangeSealStatus, request)
    first = await operator.call(seals.ChangeSealStatus, request)
    assert first.seal.status == pb.SEAL_STATUS_SUSPENDED
    assert await operator.call(seals.ChangeSealStatus, request) == first
    request.request_id = str(uuid.uuid4())
    with pytest.raises(Fault, match="ETAG_MISMATCH"):
        await operator.call(seals.ChangeSealStatus, request)
    status = await department.call(own.GetSealStatus, pb.GetSealStatusRequest(seal_id=seal.seal_id))
    assert status.status == pb.SEAL_STATUS_SUSPENDED
    bundle = await department.call(own.GetTrustBundle, pb.GetTrustBundleRequest())
    assert (
        len(bundle.anchors_der),
        len(bundle.certificates_der),
        len(bundle.crls_der),
        len(bundle.own_makers),
    ) == (2, 6, 5, 1)
    assert bundle.status_list
    assert bundle.companion_list
    verification = seal_pb2_grpc.VerificationServiceStub(department.channel)
    unsigned = await department.call(
        verification.VerifyDocument, pb.VerifyDocumentRequest(document=pack(ofd_files()))
    )
    assert (unsigned.verdict, list(unsigned.signatures)) == ("UNSIGNED", [])
    broken = await department.call(verification.VerifyDocument, pb.VerifyDocumentRequest(document=b"no OFD"))
    assert (broken.verdict, broken.signatures[0].checks[0].name) == ("INVALID", "container")
    uses = seal_pb2_grpc.SignatureServiceStub(department.channel)
    assert not (await department.call(uses.ListSealUses, pb.ListSealUsesRequest())).uses
    with pytest.raises(Fault, match="NOT_PERMITTED"):
        await department.call(
            uses.GetSealedDocument, pb.GetSealedDocumentRequest(signature_id=str(uuid.uuid4()))
        )
    certs = serving.channel(service("certs"))
    signatures = seal_pb2_grpc.SignatureServiceStub(certs.channel)
    with pytest.raises(Fault, match="SIGNATURE_NOT_FOUND"):
        await certs.call(
            signatures.GetSealedDocument, pb.GetSealedDocumentRequest(signature_id=str(uuid.uuid4()))
        )
    for channel in (operator, department, certs):
        await channel.close()


async def test_a_licence_made_comes_back_sealed_over_bus_and_calls(serving: Stack):
    document = pack(ofd_files())
    server = RpcServer(serving.authority.identity(service("certs")))
    server.register(licence_pb2_grpc.add_LicenceServiceServicer_to_server, certs_with(document))
    await server.start(serving.certs)
    made = LicenceMade(
        licence_id="licence-1", identifier="x", type_code="t", county_code="361103", issuer_code=DEPARTMENT,
        case_id="case-1", part_id="p", item_code="i", document_sha256=hashlib.sha256(document).hexdigest(),
        made_at=system_clock(),
    )  # fmt: skip
    bus = await open_bus(BusConfig("postgres", "test", postgres_dsn=serving.bus_dsn))
    producer = bus.producer()
    for _ in range(2):  # the same licence under two event ids
        envelope = Envelope(new_event_id(), made.TYPE, "//tongban/certs", "licence-1", 1, system_clock())
        record = NewRecord(made.TOPIC, b"licence-1", envelope.headers(), made.model_dump_json().encode())
        assert await producer.append([record]) == [None]
    connection = await asyncpg.connect(serving.bus_dsn)
    end = time.monotonic() + 20
    while await connection.fetchval("select count(*) from msg where topic = 'seal.signature.v1'") == 0:
        assert time.monotonic() < end, (serving.home / "log").read_text()
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    (body,) = [
        row["body"]
        for row in await connection.fetch("select body from msg where topic = 'seal.signature.v1'")
    ]
    sealed = DocumentSealed.model_validate_json(body)
    certs = serving.channel(service("certs"))
    signatures = seal_pb2_grpc.SignatureServiceStub(certs.channel)
    answer = await certs.call(
        signatures.GetSealedDocument, pb.GetSealedDocumentRequest(signature_id=sealed.signature_id)
    )
    assert answer.sha256 == sealed.document_sha256 == hashlib.sha256(answer.ofd).hexdigest()
    verification = seal_pb2_grpc.VerificationServiceStub(certs.channel)
    report = await certs.call(verification.VerifyDocument, pb.VerifyDocumentRequest(document=answer.ofd))
    assert (report.verdict, len(report.signatures[0].checks)) == ("VALID", 13)
    await asyncio.gather(certs.close(), producer.close(), bus.close(), connection.close())
    await server.drain(notice_seconds=0)
