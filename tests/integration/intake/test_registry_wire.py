"""What intake asks the registry for a holder, over mutual TLS with certs' own services behind it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from chassis.auth import ActingPerson, DocumentSigner, TokenSigner, TokenVerifier, public_keys
from chassis.errors import Fault
from chassis.rpc.call import Caller, calling
from chassis.rpc.channel import PeerChannel, open_channel
from chassis.rpc.peer import Peer
from chassis.rpc.server import RpcServer
from chassis.service import TOKEN_ISSUER
from cli.local.authority import open_authority
from services.intake.clients.certs import CertsLicences
from services.intake.clients.entrustments import CertsEntrustments
from services.intake.clients.holdings import CertsHoldings
from services.intake.domain.entrustment import STATEMENT_KIND, EntrustmentWish, Power, claims, whole_seconds
from services.intake.usecases.cases.ports import UseCodeOrder
from services.intake.usecases.holdings import Complaint, UseFilter
from tests.integration.certs.conftest import BUSINESS, INTAKE_KEY, MARKET, World
from tests.integration.certs.conftest import world as world  # noqa: PLC0414 - a fixture
from tests.integration.certs.recourse import Recourse, Said
from tongban.certs.v1 import dispute_pb2_grpc, holder_pb2_grpc, use_code_pb2_grpc

CERTS = Peer("service", "certs")


@dataclass
class Wire:
    """Certs' services and intake's way to them, as a person."""

    world: World
    channel: PeerChannel
    token: str

    @property
    def holdings(self) -> CertsHoldings:
        return CertsHoldings(self.channel)

    def acting(self):
        return calling(Caller(None, token=self.token))


@pytest.fixture
async def wire(world: World, tmp_path: Path) -> AsyncIterator[Wire]:
    authority = open_authority(tmp_path / "authority")
    recourse = Recourse(world, Said())
    token = TokenSigner(INTAKE_KEY, TOKEN_ISSUER).sign(ActingPerson(str(uuid.uuid4()), assurance=3))
    async with AsyncExitStack() as stack:
        verifier = TokenVerifier(public_keys([INTAKE_KEY]), TOKEN_ISSUER)
        server = RpcServer(authority.identity(CERTS), verifier=verifier)
        server.register(use_code_pb2_grpc.add_UseCodeServiceServicer_to_server, world.use_codes)
        server.register(holder_pb2_grpc.add_HolderServiceServicer_to_server, recourse.holders)
        server.register(dispute_pb2_grpc.add_DisputeServiceServicer_to_server, recourse.disputes)
        port = await server.start("127.0.0.1:0")
        stack.push_async_callback(server.drain, notice_seconds=0, grace_seconds=0.2)
        own = authority.identity(Peer("service", "intake"))
        channel = open_channel(f"127.0.0.1:{port}", CERTS, own, limit_seconds=10)
        stack.push_async_callback(channel.close)
        yield Wire(world, channel, token)


def order(licence_id: str, holder: str, now: datetime) -> UseCodeOrder:
    return UseCodeOrder(
        licence_id=licence_id,
        holder_id_type_code="111",
        holder_id_number=holder,
        item_code="item-1",
        case_id="case-1",
        consumer_code=MARKET,
        face_fields=("KZ_MC",),
        use_cause="食品经营许可审查",
        expires_at=now + timedelta(days=1),
        consent_version="2026.1",
        consented_at=now,
        consent_id="consent-7",
    )


async def test_a_use_under_a_consent_is_seen_disputed_and_taken_away_by_its_holder(wire: Wire) -> None:
    from tests.integration.certs.test_use_codes import consume

    world, holder = wire.world, wire.world.citizen()
    me, now = ("111", holder), wire.world.clock()
    licence_id = await world.stock_licence(holder)
    with wire.acting():
        code, _ = await CertsLicences(wire.channel).issue_use_code(
            order(licence_id, holder, now), str(uuid.uuid4())
        )
    await consume(world, code)
    with wire.acting():
        uses, _ = await wire.holdings.uses(me, UseFilter(licence_id), 20, "")
        used = next(each for each in uses if each.kind == "consume")
        assert (used.consent_id, used.face_fields, used.basis) == ("consent-7", ("KZ_MC",), "consent")
        assert (used.consumer_code, used.outcome) == (MARKET, "allowed")
        later = UseFilter(licence_id, now + timedelta(hours=1), None)
        assert await wire.holdings.uses(me, later, 20, "") == ([], "")
        exported = await wire.holdings.export(me, UseFilter(), "")
        assert (exported.uses, exported.signed.count(".")) == (len(uses), 2)
        said = Complaint(licence_id, "use", used.usage_id, "本人未办理此事")
        request_id = str(uuid.uuid4())
        dispute = await wire.holdings.open_dispute(me, said, request_id)
        assert await wire.holdings.open_dispute(me, said, request_id) == dispute
        assert (dispute.state, dispute.kind, dispute.consumer_code) == ("opened", "use", MARKET)
        listed, _ = await wire.holdings.disputes(me, 20, "")
        assert [each.statement for each in listed] == ["本人未办理此事"]
        other = "111", world.citizen()
        with pytest.raises(Fault) as stranger:
            await wire.holdings.withdraw_dispute(other, dispute.dispute_id, dispute.etag, "", new())
        assert stranger.value.code == "DISPUTE_NOT_FOUND"
        back = await wire.holdings.withdraw_dispute(me, dispute.dispute_id, dispute.etag, "看错了", new())
        assert (back.state, back.settled_at is not None) == ("withdrawn", True)


async def test_an_entrustment_is_recorded_acted_on_and_taken_back(wire: Wire) -> None:
    from tests.integration.certs.test_use_code_modes import agent_issue
    from tests.integration.certs.test_use_codes import reason_of

    world, holder, agent = wire.world, wire.world.citizen(), wire.world.citizen()
    begins = whole_seconds(world.clock())
    licence_id = await world.stock_licence(holder)
    wish = EntrustmentWish(
        ("111", agent), (BUSINESS,), (), (Power.ISSUE_USE_CODE,), None, begins + timedelta(days=9)
    )
    name, registry = new(), CertsEntrustments(wire.channel)
    sign = DocumentSigner(INTAKE_KEY).sign_document
    told = claims(name, ("111", holder), wish, begins)
    with wire.acting():
        await registry.record(sign(told, kind=STATEMENT_KIND), name)
        await registry.record(sign(told, kind=STATEMENT_KIND), new())  # signed anew, says the same
        assert await registry.revoke(new(), ("111", holder), "x", new()) == 0
    await agent_issue(world, licence_id, holder, agent, name)
    with wire.acting():
        assert await registry.revoke(name, ("111", agent), "x", new()) == 0, "not the grantor"
        assert await registry.revoke(name, ("111", holder), "本人自办", new()) == 1
        other = claims(name, ("111", holder), replace(wish, powers=(Power.PRESENT,)), begins)
        with pytest.raises(Fault) as differs:
            await registry.record(sign(other, kind=STATEMENT_KIND), new())
    assert differs.value.code == "ENTRUSTMENT_DIFFERS"
    assert await reason_of(agent_issue(world, licence_id, holder, agent, name)) == "ENTRUSTMENT_REVOKED"


def new() -> str:
    return str(uuid.uuid4())
