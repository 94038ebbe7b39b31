"""PartService and IssuingService over mutual TLS, as departments and certs call them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from chassis.errors import Fault
from chassis.requests import EncryptedAnswers
from chassis.rpc.channel import PeerChannel, open_channel
from chassis.rpc.peer import Peer
from chassis.rpc.server import RpcServer
from cli.local.authority import Authority, open_authority
from services.certs.clients import CaseParties
from services.intake.rpc.issuing import IssuingServicer, add_issuing_service
from services.intake.rpc.part import PartServicer, add_part_service
from services.intake.usecases.cases import following
from tongban.intake.v1 import issuing_pb2, issuing_pb2_grpc, part_pb2_grpc
from tongban.intake.v1 import part_pb2 as pb

SERVER = Peer("service", "intake")


@dataclass
class Served:
    """A running server of intake and channels to it."""

    port: int
    authority: Authority
    stack: AsyncExitStack

    def channel(self, kind: str, name: str) -> PeerChannel:
        tls = self.authority.identity(Peer(kind, name))
        opened = open_channel(f"127.0.0.1:{self.port}", SERVER, tls, limit_seconds=10)
        self.stack.push_async_callback(opened.close)
        return opened

    def department(self, code: str) -> tuple[PeerChannel, part_pb2_grpc.PartServiceStub]:
        opened = self.channel("department", code)
        return opened, part_pb2_grpc.PartServiceStub(opened.channel)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return open_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def served(intake, authority: Authority) -> AsyncIterator[Served]:
    async with AsyncExitStack() as stack:
        server = RpcServer(authority.identity(SERVER))
        parts = PartServicer(
            intake.works,
            lambda: intake.catalogue,
            intake.files,
            intake.works.bell,
            EncryptedAnswers(intake.works._cipher),
            poll_seconds=5,
            mark_seconds=0.2,
        )
        server.register(add_part_service, parts)
        server.register(add_issuing_service, IssuingServicer(intake.works, lambda: intake.catalogue))
        port = await server.start("127.0.0.1:0")
        stack.push_async_callback(server.drain, notice_seconds=0, grace_seconds=0.2)
        yield Served(port, authority, stack)


async def test_a_department_takes_its_part_from_submission_to_decision(intake, served: Served) -> None:
    case = await intake.submitted()
    part = next(each for each in case.parts if each.item.item_id == "food-operation-licence")
    code = part.item.department_code
    peer, stub = served.department(code)
    listed = await peer.call(stub.ListParts, pb.ListPartsRequest(states=[pb.PART_STATE_SUBMITTED]))
    assert [each.part_id for each in listed.parts] == [part.part_id]
    found = (await peer.call(stub.GetPart, pb.GetPartRequest(part_id=part.part_id))).part
    assert found.applicant.id_number == intake.persons[intake.actor.person_id].id_number
    assert set(found.form) == set(part.item.form_codes)
    materials = {each.material_code: each for each in found.materials}
    assert materials["business_licence"].use_code
    assert materials["business_licence"].use_cause == "办理食品经营许可（新办）"
    content = await peer.call(
        stub.GetMaterialFile,
        pb.GetMaterialFileRequest(part_id=part.part_id, material_code="food_layout"),
    )
    assert content.content.startswith(b"%PDF-")
    staff = [intake.staff(code, position) for position in range(3)]
    claimed = await peer.call(stub.ClaimPart, pb.ClaimPartRequest(**change(found, staff[0])))
    accepted = await peer.call(stub.AcceptPart, pb.AcceptPartRequest(**change(claimed.part, staff[0])))
    assert accepted.part.promised.due_date == "2026-03-09"
    request = pb.DecidePartRequest(**change(accepted.part, staff[1]), decision=pb.DECISION_APPROVE)
    first = await peer.call(stub.DecidePart, request)
    again = await peer.call(stub.DecidePart, request)
    assert first == again
    assert first.part.state == pb.PART_STATE_REVIEWED
    request = pb.DecidePartRequest(**change(first.part, staff[2]), decision=pb.DECISION_APPROVE)
    decided = await peer.call(stub.DecidePart, request)
    assert decided.part.state == pb.PART_STATE_APPROVED
    assert [each.staff_id for each in decided.part.signatures] == staff[1:]
    pages = await peer.call(stub.ListPartChanges, pb.ListPartChangesRequest(page_size=100))
    assert [each.change for each in pages.changes] == [
        "submitted",
        "claimed",
        "accepted",
        "reviewed",
        "decided",
    ]
    certs = served.channel("service", "certs")
    issuing = issuing_pb2_grpc.IssuingServiceStub(certs.channel)
    data = await certs.call(issuing.GetIssueData, issuing_pb2.GetIssueDataRequest(part_id=part.part_id))
    assert data.holder_name == "玉山县测试小馆（个体工商户）"
    assert data.holder_id_type_code == "001"
    assert data.face["KZ_ZTYT"] == "餐饮服务经营者"
    assert data.validity_years == 5


async def test_certs_learns_whose_licences_an_open_case_is_about_and_of_no_other(
    intake, served: Served
) -> None:
    case = await intake.submitted()
    part = next(each for each in case.parts if each.item.item_id == "food-operation-licence")
    parties = CaseParties(served.channel("service", "certs"))
    asked = {
        "case_id": case.case_id,
        "item_code": part.item.item_code,
        "department_code": part.item.department_code,
    }
    applicant = intake.persons[intake.actor.person_id]
    assert (applicant.id_type_code, applicant.id_number) in await parties.of_part(**asked)
    draft = await intake.draft()
    for other in (
        {"case_id": "nobodys"},
        {"case_id": draft.case_id},
        {"item_code": "another"},
        {"department_code": "11361103TB100002XM"},
    ):
        assert await parties.of_part(**asked | other) == []
    await following.withdraw(intake.works, intake.registry, intake.actor, case.case_id)
    assert await parties.of_part(**asked) == []
    outsider = CaseParties(served.channel("service", "notify"))
    with pytest.raises(Fault) as refusal:
        await outsider.of_part(**asked)
    assert refusal.value.code == "NOT_PERMITTED"


async def test_another_departments_part_does_not_exist_for_it(intake, served: Served) -> None:
    case = await intake.submitted()
    mine, theirs = case.parts[:2]
    peer, stub = served.department(mine.item.department_code)
    staff = intake.staff(mine.item.department_code)
    ask = {"request_id": str(uuid.uuid4()), "part_id": theirs.part_id, "etag": '"1"', "staff_id": staff}
    for call in (
        peer.call(stub.GetPart, pb.GetPartRequest(part_id=theirs.part_id)),
        peer.call(stub.ClaimPart, pb.ClaimPartRequest(**ask)),
        peer.call(stub.AcceptPart, pb.AcceptPartRequest(**ask)),
        peer.call(stub.RefusePart, pb.RefusePartRequest(**ask, reason="x")),
        peer.call(stub.DecidePart, pb.DecidePartRequest(**ask, decision=pb.DECISION_APPROVE)),
        peer.call(
            stub.RequestSupplement,
            pb.RequestSupplementRequest(**ask, defects=[pb.Defect(target="food_layout", problem="x")]),
        ),
        peer.call(
            stub.GetMaterialFile,
            pb.GetMaterialFileRequest(part_id=theirs.part_id, material_code="food_layout"),
        ),
    ):
        with pytest.raises(Fault) as refusal:
            await call
        assert refusal.value.code == "PART_NOT_FOUND"


async def test_only_departments_and_certs_are_let_in(intake, served: Served) -> None:
    case = await intake.submitted()
    outsider = served.channel("service", "notify")
    stub = part_pb2_grpc.PartServiceStub(outsider.channel)
    with pytest.raises(Fault) as refusal:
        await outsider.call(stub.GetPart, pb.GetPartRequest(part_id=case.parts[0].part_id))
    assert refusal.value.code == "NOT_PERMITTED"
    peer, _ = served.department(case.parts[0].item.department_code)
    issuing = issuing_pb2_grpc.IssuingServiceStub(peer.channel)
    with pytest.raises(Fault) as refusal:
        await peer.call(issuing.GetIssueData, issuing_pb2.GetIssueDataRequest(part_id=case.parts[0].part_id))
    assert refusal.value.code == "NOT_PERMITTED"


async def test_a_stream_tells_changes_at_once_marks_progress_and_resumes(intake, served: Served) -> None:
    case = await intake.submitted()
    part = case.parts[0]
    peer, stub = served.department(part.item.department_code)
    stream = peer.stream(stub.WatchParts, pb.WatchPartsRequest(), timeout_seconds=20)
    first = await anext(stream)
    assert (first.revision, first.change) == (1, "submitted")
    mark = await anext(stream)
    assert (mark.revision, mark.part_id) == (1, "")
    started = asyncio.get_running_loop().time()
    await intake.accept(part.part_id)
    told = await anext(stream)
    while not told.part_id:
        told = await anext(stream)
    assert (told.revision, told.change) == (2, "accepted")
    assert asyncio.get_running_loop().time() - started < 2  # by the bell; the poll is 5 s here
    await stream.aclose()
    resumed = peer.stream(stub.WatchParts, pb.WatchPartsRequest(start_revision=1), timeout_seconds=20)
    assert (await anext(resumed)).revision == 2
    await resumed.aclose()
    ahead = peer.stream(stub.WatchParts, pb.WatchPartsRequest(start_revision=99), timeout_seconds=20)
    with pytest.raises(Fault) as refusal:
        await anext(ahead)
    assert refusal.value.code == "REVISION_UNKNOWN"


def change(part: pb.Part, staff_id: str) -> dict[str, str]:
    return {
        "request_id": str(uuid.uuid4()),
        "part_id": part.part_id,
        "etag": part.etag,
        "staff_id": staff_id,
    }
