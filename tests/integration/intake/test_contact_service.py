from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.errors import Fault
from chassis.rpc.channel import open_channel
from chassis.rpc.peer import Peer
from chassis.rpc.server import RpcServer
from cli.local.authority import open_authority
from services.intake.rpc.contact import ContactServicer, add_contact_service
from tests.integration.intake.stage import Stage, card, open_stage
from tests.stacks.postgres import PostgresServer
from tongban.intake.v1 import contact_pb2, contact_pb2_grpc

INTAKE = Peer("service", "intake")


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


async def test_only_notify_reads_contacts_and_each_reading_is_recorded(stage: Stage, tmp_path: Path) -> None:
    entered = await stage.enter(card(), "19900000001")
    person_id = (await stage.web.get("/v1/me", headers=entered)).json()["person_id"]
    authority = open_authority(tmp_path / "authority")
    server = RpcServer(authority.identity(INTAKE), verifier=None)
    server.register(add_contact_service, ContactServicer(stage.log_in.open_work))
    port = await server.start("127.0.0.1:0")
    request = contact_pb2.GetContactRequest(person_id=person_id, purpose="case:42")
    refusals = {}
    for peer in (Peer("service", "notify"), Peer("service", "certs"), Peer("department", "x")):
        channel = open_channel(f"127.0.0.1:{port}", INTAKE, authority.identity(peer))
        stub = contact_pb2_grpc.ContactServiceStub(channel.channel)
        try:
            if peer.name == "notify":
                answer = await channel.call(stub.GetContact, request)
                with pytest.raises(Fault, match="PERSON_NOT_FOUND"):
                    await channel.call(
                        stub.GetContact, contact_pb2.GetContactRequest(person_id="none", purpose="x")
                    )
            else:
                with pytest.raises(Fault) as caught:
                    await channel.call(stub.GetContact, request)
                refusals[str(peer)] = caught.value.code
        finally:
            await channel.close()
    await server.drain(notice_seconds=0, grace_seconds=0.2)
    assert (answer.phone, answer.masked_name, answer.language) == ("19900000001", "测**", "zh")
    assert set(refusals.values()) == {"NOT_PERMITTED"}
    async with stage.database.transaction() as tx:
        rows = await tx.fetch("select reader, purpose from contact_read")
    assert [tuple(each) for each in rows] == [(str(Peer("service", "notify")), "case:42")]
