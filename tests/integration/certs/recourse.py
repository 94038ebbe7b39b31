"""What the tests of reliance, disputes and standings share: the servicers, requests, a step of the recall."""

from __future__ import annotations

import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pytest

from chassis.errors import Fault
from services.certs.app.recourse import WorkingDays, read_calendar, recall_step
from services.certs.domain.dispute import DisputeKind, FreezeRule
from services.certs.domain.standing import SealStanding
from services.certs.rpc.disputes import DisputeServicer
from services.certs.rpc.held_uses import HolderServicer
from services.certs.rpc.reliance import RelianceServicer
from services.certs.rpc.standing import StandingDesk, StandingServicer
from services.certs.store.log import BookStore
from services.certs.store.standing import StateLeafStore
from services.certs.usecases.dispute import DisputeRules
from tests.integration.certs.conftest import CATALOGUE, MARKET, World, purpose
from tongban.certs.v1 import dispute_pb2, licence_pb2, reliance_pb2, standing_pb2

STATEMENT = "经营者姓名登记有误，应为丰晓钰，联系电话 19900000000"


def anew() -> str:
    return str(uuid.uuid4())


VALID = SealStanding("valid", seal_id="seal-1", signature_id="s1", seal_status="active")


@dataclass
class Said:
    """Stands for the seal service: what it last said, or that it does not answer."""

    standing: SealStanding = VALID
    problem: Fault | None = None
    asked: datetime | None = None

    async def standing_of(self, document: bytes, at: datetime | None) -> SealStanding:
        self.asked = at
        if self.problem:
            raise self.problem
        assert document
        return self.standing


class SaidSeals:
    """Implements the port Seals from what was said."""

    def __init__(self, said: Said) -> None:
        self.said = said

    async def standing(self, document: bytes, at: datetime | None) -> SealStanding:
        return await self.said.standing_of(document, at)


@dataclass
class Recourse:
    """The servicers over one world."""

    world: World
    said: Said

    def __post_init__(self) -> None:
        desk = self.world.desk
        self.reliance = RelianceServicer(desk)
        self.disputes = self.disputes_with(FreezeRule.NONE)
        self.standing = StandingServicer(desk, StandingDesk(SaidSeals(self.said), BookStore, StateLeafStore))
        self.holders = HolderServicer(desk)

    def disputes_with(self, rule: FreezeRule) -> DisputeServicer:
        return DisputeServicer(self.world.desk, DisputeRules(DEADLINES, rule))

    async def recall(self) -> None:
        """Have departments told of every fall that waits."""
        step = recall_step(self.world.database, self.world.desk.registry_of, self.world.clock)
        while await step():
            pass

    async def fallen(self, department: str = MARKET, **asked: Any) -> list[reliance_pb2.FallenReliance]:
        with self.world.as_department(department):
            request = reliance_pb2.ListFallenReliancesRequest(**asked)
            return list((await self.reliance.ListFallenReliances(request, None)).reliances)

    async def read(self, licence_id: str, department: str, case_id: str) -> licence_pb2.Licence:
        request = licence_pb2.GetLicenceRequest(licence_id=licence_id, purpose=purpose(case_id=case_id))
        with self.world.as_department(department):
            return (await self.world.licences.GetLicence(request, None)).licence

    async def change(
        self, licence_id: str, status: int, request_id: str = "", effective_at: datetime | None = None
    ) -> None:
        """Have the issuer change a licence's status."""
        count = "select version from licence where licence_id = $1"
        version = await self.world.count(count, uuid.UUID(licence_id))
        request = licence_pb2.ChangeLicenceStatusRequest(
            request_id=request_id or anew(),
            licence_id=licence_id,
            etag=f'"{version}"',
            status=status,  # type: ignore[arg-type]
            reason="监督检查发现问题",
            basis_document="饶广市监决字〔2026〕1号",
            operator="36110301Z1",
            second_person="36110302Z1",
        )
        if effective_at is not None:
            request.effective_at.FromDatetime(effective_at)
        with self.world.as_department():
            await self.world.licences.ChangeLicenceStatus(request, None)

    async def open(self, licence_id: str, holder: str, **changed: Any) -> dispute_pb2.Dispute:
        fields = {
            "request_id": anew(),
            "holder_id_type_code": "111",
            "holder_id_number": holder,
            "licence_id": licence_id,
            "kind": dispute_pb2.DISPUTE_KIND_CONTENT,
            "statement": STATEMENT,
        } | changed
        servicer = fields.pop("servicer", self.disputes)
        with self.world.as_intake():
            return (await servicer.OpenDispute(dispute_pb2.OpenDisputeRequest(**fields), None)).dispute

    async def freeze(self, dispute: dispute_pb2.Dispute, department: str = MARKET) -> dispute_pb2.Dispute:
        request = dispute_pb2.FreezeLicenceUseRequest(
            request_id=anew(), dispute_id=dispute.dispute_id, etag=dispute.etag, grounds=GROUNDS
        )
        with self.world.as_department(department):
            return (await self.disputes.FreezeLicenceUse(request, None)).dispute

    async def status_at(self, licence_id: str, department: str = MARKET, **asked: Any):
        request = standing_pb2.GetStatusAtRequest(licence_id=licence_id, purpose=purpose())
        for name in ("at", "known_at"):
            if name in asked:
                getattr(request, name).FromDatetime(asked[name])
        with self.world.as_department(department):
            return await self.standing.GetStatusAt(request, None)


GROUNDS = dispute_pb2.DisputeGrounds(
    operator="36110301Z1", reason="核查登记档案", legal_basis="《中华人民共和国个人信息保护法》第四十六条"
)


class _Deadlines:
    """Fifteen working days by the real calendar."""

    def due(self, opened_at: datetime, kind: DisputeKind) -> date | None:
        return WorkingDays(read_calendar(CATALOGUE), 15).due(opened_at, kind)


DEADLINES = _Deadlines()


async def reason_of(call: Coroutine[Any, Any, object]) -> str:
    with pytest.raises(Fault) as refused:
        await call
    return refused.value.code
