"""What certs makes of the real seal service's answers about a sealed document as of a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chassis.rpc.channel import open_channel, service
from chassis.rpc.server import RpcServer
from services.certs.clients import SealStandings
from services.seal.app.pdf_judge import PadesJudge
from services.seal.domain.register import SealStatus
from services.seal.rpc import SealServicer, VerificationServicer, add_seal_service, add_verification_service
from services.seal.rpc.applications import Counter
from services.seal.usecases.verify import Verifier
from tests.integration.seal.conftest import UNSEALED, stocked, world
from tests.integration.seal.doors import Doors, doors
from tests.unit.seal.sealing_room import suites

__all__ = ["doors", "stocked", "world"]


@pytest.fixture
async def standings(doors: Doors) -> AsyncIterator[SealStandings]:
    await doors.grant()
    world = doors.world
    server = RpcServer(doors.authority.identity(service("seal")), reflect=False)
    server.register(
        add_verification_service,
        VerificationServicer(Verifier(world.unit, suites(), PadesJudge()), world.clock),
    )
    office: object = None  # makes keys; no call here does
    counter = Counter(world.database, world.unit.work, world.clock, suites(), office)  # type: ignore[arg-type]
    server.register(add_seal_service, SealServicer(counter))
    port = await server.start("127.0.0.1:0")
    identity = doors.authority.identity(service("certs"))
    channel = open_channel(f"127.0.0.1:{port}", service("seal"), identity, limit_seconds=30)
    yield SealStandings(channel)
    await channel.close()
    await server.drain(notice_seconds=0, grace_seconds=0.5)


async def test_seal_and_signature_are_told_as_they_stood_before_during_and_after_a_suspension(
    doors: Doors, standings: SealStandings
):
    clock = doors.world.clock
    before = clock()
    clock.at += timedelta(minutes=10)
    _, sealed = await doors.seal()
    clock.at += timedelta(hours=1)
    sound = clock()
    clock.at += timedelta(hours=1)
    await doors.world.change(doors.seal_id, SealStatus.SUSPENDED)
    clock.at += timedelta(hours=1)
    then, now = await standings.standing(sealed, sound), await standings.standing(sealed, None)
    assert (then.result, then.seal_id, then.seal_status) == ("valid", doors.seal_id, "active")
    assert then.signed_at is not None
    assert {each.result for each in then.checks} <= {"valid", "not_applicable"}
    assert any(each.clause for each in then.checks)
    assert now.seal_status == "suspended"
    assert now.seal_status_since is not None
    assert now.seal_status_since > sound
    assert (await standings.standing(sealed, before)).result == "not_yet"


async def test_a_document_without_a_seal_is_told_as_such(doors: Doors, standings: SealStandings):
    assert doors.seal_id
    assert (await standings.standing(UNSEALED, None)).result == "unsigned"
