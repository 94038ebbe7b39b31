"""An agent finds the entrusted types of a holder's licences and nothing else; what is refused is on record."""

from __future__ import annotations

from typing import Any

from services.certs.rpc.evidence import EvidenceServicer
from tests.integration.certs.conftest import BUSINESS, ID_CARD, World, purpose
from tests.integration.certs.evidence_room import entrusted, entrustment
from tests.integration.certs.test_use_codes import reason_of, uses
from tongban.certs.v1 import evidence_pb2
from tongban.certs.v1 import licence_pb2 as pb


async def found(
    world: World, holder: str, agent: str, name: str, types: tuple[str, ...] = (), **changed: Any
) -> list[str]:
    request = evidence_pb2.SearchLicencesRequest(
        query=evidence_pb2.LicenceQuery(
            holder=evidence_pb2.HolderQuery(
                holder_id_type_code="111", holder_id_number=holder, type_codes=types
            )
        ),
        purpose=purpose(pb.BASIS_CONSENT, **changed),
        entrustment_id=name,
        agent_id_type_code="111",
        agent_id_number=agent,
    )
    with world.as_intake():
        answer = await EvidenceServicer(world.desk).SearchLicences(request, None)
    return [each.licence_id for each in answer.licences]


async def test_an_agent_finds_the_entrusted_types_and_the_lines_name_the_entrustment(world: World) -> None:
    holder, agent = world.citizen(), world.citizen()
    licence_id = await world.stock_licence(holder)
    await world.stock_licence(world.citizen())
    name = await entrusted(world, entrustment(world, holder, agent))
    assert await found(world, holder, agent, name) == [licence_id]
    assert await found(world, holder, agent, name, (BUSINESS, ID_CARD)) == [licence_id]
    listed = (await uses(world, holder)).uses
    assert {(use.kind, use.mode, use.entrustment_id) for use in listed} == {("find", "entrustment", name)}


async def test_outside_what_was_entrusted_nothing_is_found_and_the_holder_sees_the_attempt(
    world: World,
) -> None:
    holder, agent = world.citizen(), world.citizen()
    await world.stock_licence(holder)
    name = await entrusted(world, entrustment(world, holder, agent))
    shows = await entrusted(world, entrustment(world, holder, agent, powers=["present"]))
    now = int(world.clock().timestamp())
    ended = await entrusted(world, entrustment(world, holder, agent, nbf=now - 90, exp=now - 1))
    attempts = (
        (found(world, holder, agent, "nobody"), "ENTRUSTMENT_UNKNOWN"),
        (found(world, holder, world.citizen(), name), "ENTRUSTMENT_WRONG_PERSON"),
        (found(world, holder, agent, shows), "ENTRUSTMENT_OUT_OF_SCOPE"),
        (found(world, holder, agent, name, (ID_CARD,)), "ENTRUSTMENT_OUT_OF_SCOPE"),
        (found(world, holder, agent, name, item_code="item-2"), "ENTRUSTMENT_OUT_OF_SCOPE"),
        (found(world, holder, agent, name, item_code=""), "ENTRUSTMENT_OUT_OF_SCOPE"),
        (found(world, holder, agent, ended), "ENTRUSTMENT_EXPIRED"),
    )
    for attempt, reason in attempts:
        assert await reason_of(attempt) == reason
    listed = (await uses(world, holder)).uses
    assert sorted(use.outcome for use in listed) == sorted(reason for _, reason in attempts)
    assert all(use.licence_id == "" for use in listed)
    assert await reason_of(found(world, "", agent, name)) == "INVALID_REQUEST"
