"""Applications over the wire: who may ask what, once per request id, a person's name for the owner alone."""

from __future__ import annotations

import uuid

import pytest

from chassis.errors import Fault
from chassis.rpc.peer import Peer
from tests.integration.seal.process_room import DEPARTMENT, Stack, prepared, serving, signer, stack
from tongban.seal.v1 import application_pb2 as pb
from tongban.seal.v1 import seal_pb2, seal_pb2_grpc

__all__ = ["prepared", "serving", "signer", "stack"]
PERSON = "欧阳未名"


def wish(**changed: object) -> pb.ApplyForSealRequest:
    values = {
        "request_id": str(uuid.uuid4()), "kind": pb.SEAL_KIND_PERSONAL, "owner_code": DEPARTMENT, "owner_name": "某局",
        "division": "361103", "name": PERSON, "reason": "审批", "operator": "张三",
    }  # fmt: skip
    return pb.ApplyForSealRequest(**{**values, **changed})  # type: ignore[arg-type]


async def test_a_seal_is_applied_for_decided_made_and_shown(serving: Stack):
    operator, department = (
        serving.channel(Peer("operator", "ops-1")),
        serving.channel(Peer("department", DEPARTMENT)),
    )
    stranger = serving.channel(Peer("department", "11361123TB20000214"))
    office, own, other = (
        seal_pb2_grpc.SealServiceStub(each.channel) for each in (operator, department, stranger)
    )
    with pytest.raises(Fault, match="NOT_PERMITTED"):
        await stranger.call(other.ApplyForSeal, wish())
    with pytest.raises(Fault) as caught:
        await operator.call(office.ApplyForSeal, wish(owner_code="1", name="", operator=""))
    assert {each.field_path for each in caught.value.violations} == {"name", "operator", "owner_code"}
    request = wish()
    applied = (await department.call(own.ApplyForSeal, request)).application
    assert applied == (await department.call(own.ApplyForSeal, request)).application
    assert (applied.status, applied.name) == (pb.SEAL_APPLICATION_STATUS_APPLIED, "欧**")
    one = pb.GetSealApplicationRequest(application_id=applied.application_id)
    with pytest.raises(Fault, match="SEAL_APPLICATION_NOT_FOUND"):
        await stranger.call(other.GetSealApplication, one)
    assert (await operator.call(office.GetSealApplication, one)).application.name == PERSON
    every = pb.ListSealApplicationsRequest(page_size=200)
    shown = {
        each.application_id: each
        for each in (await operator.call(office.ListSealApplications, every)).applications
    }
    assert shown[applied.application_id].name == "欧**"
    mine = {
        each.application_id: each
        for each in (await department.call(own.ListSealApplications, every)).applications
    }
    assert mine[applied.application_id].name == PERSON
    assert len(mine) == 2, "and the one of the catalogue"
    assert applied.application_id not in {
        each.application_id for each in (await stranger.call(other.ListSealApplications, every)).applications
    }
    decision = pb.DecideSealApplicationRequest(
        request_id=str(uuid.uuid4()), application_id=applied.application_id, etag=applied.etag, approve=True,
        reason="同意", operator="李四",
    )  # fmt: skip
    with pytest.raises(Fault, match="NOT_PERMITTED"):
        await department.call(own.DecideSealApplication, decision)
    assert (await operator.call(office.DecideSealApplication, decision)).application.decided_by == "李四"
    assert len((await operator.call(office.GetSealApplication, one)).requests) == 2
    done = serving.job("make-seals", "maker")
    assert done.returncode == 0, done.stdout + done.stderr
    assert PERSON not in done.stdout + done.stderr
    found = (await department.call(own.GetSealApplication, one)).application
    assert found.status == pb.SEAL_APPLICATION_STATUS_MADE
    seals = {
        each.seal_id: each
        for each in (await department.call(own.ListSeals, seal_pb2.ListSealsRequest())).seals
    }
    assert (seals[found.seal_id].name, seals[found.seal_id].kind) == (PERSON, pb.SEAL_KIND_PERSONAL)
    picture = await department.call(own.GetSealPicture, pb.GetSealPictureRequest(seal_id=found.seal_id))
    assert (picture.kind, picture.width_mm) == ("PNG", 18)
    with pytest.raises(Fault, match="SEAL_NOT_FOUND"):
        await stranger.call(other.GetSealPicture, pb.GetSealPictureRequest(seal_id=found.seal_id))
    withdrawal = pb.WithdrawSealApplicationRequest(
        request_id=str(uuid.uuid4()),
        application_id=found.application_id,
        etag=found.etag,
        reason="x",
        operator="张三",
    )
    with pytest.raises(Fault, match="SEAL_APPLICATION_NOT_FOUND"):
        await stranger.call(other.WithdrawSealApplication, withdrawal)
    with pytest.raises(Fault, match="SEAL_APPLICATION_STEP"):
        await department.call(own.WithdrawSealApplication, withdrawal)
    for channel in (operator, department, stranger):
        await channel.close()
