"""What a peer that agreed with us may not do: speak for us or others, answer what was not asked, take readers down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.auth import DocumentSigner
from chassis.errors import Fault
from chassis.rpc.call import Caller, calling
from chassis.rpc.moments import stamp
from chassis.rpc.peer import Peer
from events.certs import ReplicaSent
from services.certs.domain.federation import KIND, Agreement, Federation, claims_of
from services.certs.domain.status import LicenceStatus
from standards.identifiers import build_licence_identifier
from tests.integration.certs.conftest import BUSINESS, CONTEXT, FIRE, ID_CARD, MARKET, purpose
from tests.integration.certs.federation_sites import (
    CITY,
    COUNTY,
    COUNTY_MARKET,
    Site,
    about,
    forged,
    said_of,
)
from tests.integration.certs.test_federation import sites
from tongban.certs.v1 import federation_pb2 as pb
from tongban.certs.v1 import licence_pb2

__all__ = ["sites"]

FAR_OFF = "11422827TB30000156"
"""A bureau of another province."""


def told(city: Site, content: str, ordinal: int, **changed: Any) -> ReplicaSent:
    """A message that the city really signed, with claims of its choice."""
    message = about(str(uuid4()), CITY, COUNTY, ordinal, content=content)
    signed = DocumentSigner(city.signing).sign_document(claims_of(message) | changed, kind=KIND)
    return forged(message, city.signing).model_copy(update={"message": signed})


def answering(county: Site, *messages: ReplicaSent) -> None:
    """Have the city answer the county's questions with these."""

    async def ask(*_: Any) -> list[str]:
        return [each.message for each in messages]

    county.wire.ask = ask  # type: ignore[method-assign]


async def test_a_replica_says_nothing_of_a_licence_that_is_ours_by_now(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder = county.world.citizen()
    row = county.world.row(holder)
    await county.hear([told(city, said_of(county, holder, row["ZZBS"]), 1)])
    assert await county.world.count("select count(*) from replica_licence") == 1
    with county.world.as_department():
        (stored,) = await county.world.import_rows(row)
    assert stored.licence_id
    await county.hear(await city.speak())
    county.wire.cut = True
    answers = await county.find(holder)
    assert answers[COUNTY].licences[0].licence.status == licence_pb2.LICENCE_STATUS_VALID
    assert not answers[CITY].licences


@pytest.mark.parametrize(
    ("issuer", "inside"),
    [
        (COUNTY_MARKET, COUNTY_MARKET),
        (COUNTY_MARKET.lower(), MARKET),
        (FAR_OFF, FAR_OFF),
        (MARKET, COUNTY_MARKET),
    ],
    ids=["our department", "ours in small letters", "another province", "our department in the identifier"],
)
async def test_a_peer_speaks_of_its_own_issuers_only(
    sites: tuple[Site, Site], issuer: str, inside: str
) -> None:
    city, county = sites
    holder = county.world.citizen()
    identifier = build_licence_identifier(BUSINESS, inside, "2026000077")
    content = said_of(county, holder, identifier, issuer_code=issuer)
    await county.hear([told(city, content, 1)])
    assert await county.refused() == {"not_theirs": 1}
    assert await county.world.count("select count(*) from replica_licence") == 0
    answering(county, told(city, content, 0))
    assert not (await county.find(holder))[CITY].licences
    assert await county.refused() == {"not_theirs": 2}


async def test_a_replica_row_is_not_shown_once_its_issuer_is_a_department_of_ours(
    sites: tuple[Site, Site],
) -> None:
    city, county = sites
    holder = city.world.citizen()
    await city.world.stock_licence(holder)
    await county.hear(await city.speak())
    county.wire.cut = True
    assert (await county.find(holder))[CITY].licences
    county.federation = replace(county.federation, own_issuers=frozenset({MARKET}))
    assert not (await county.find(holder))[CITY].licences


async def test_what_was_agreed_beyond_a_peers_own_division_is_its_to_tell(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder = county.world.citizen()
    far = Agreement(city.card(), frozenset(), frozenset({BUSINESS}), 0, ("361100", "422800"))
    county.agree(far)
    await county.hear([told(city, said_of(county, holder, "x1", issuer_code=FAR_OFF), 1)])
    assert await county.refused() == {}
    assert await county.world.count("select count(*) from replica_licence") == 1


@pytest.mark.parametrize("wrong", ["holder", "type"])
async def test_a_peers_answer_is_about_what_was_asked_for(sites: tuple[Site, Site], wrong: str) -> None:
    city, county = sites
    holder, other = county.world.citizen(), county.world.citizen()
    content = said_of(county, other if wrong == "holder" else holder, "x1")
    changed = {"type_code": ID_CARD} if wrong == "type" else {}
    answering(county, told(city, content, 0, status=LicenceStatus.VALID.value, **changed))
    answer = (await county.find(holder))[CITY]
    assert (answer.source, list(answer.licences)) == (pb.ANSWER_SOURCE_UNKNOWN, [])
    assert await county.refused() == {"not_asked": 1}


NONSENSE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "before the calendar": ({"effective_at": "0001-01-01T00:00:00+14:00"}, {}),
    "after the calendar": ({"effective_at": "9999-12-31T23:59:59-14:00"}, {}),
    "no text in the act": ({"act": "revoke\x00"}, {}),
    "an act without end": ({"act": "x" * 10_000}, {}),
    "no number": ({}, {"serial_version": float("inf")}),
    "a number beyond ours": ({}, {"serial_version": 2**31}),
    "half a character": ({}, {"issuer_name": "\ud800"}),
    "half a character in the face": ({}, {"face": {"KZ_MC": "\udfff"}}),
    "a name without end": ({}, {"holders": [["111", "HOLDER", "丰" * 5_000]]}),
}


@pytest.mark.parametrize("broken", NONSENSE)
async def test_no_nonsense_of_a_peer_takes_a_look_up_or_its_stream_down(
    sites: tuple[Site, Site], broken: str
) -> None:
    city, county = sites
    holder = county.world.citizen()
    await county.world.stock_licence(holder)
    claims, changed = NONSENSE[broken]
    changed = {
        name: [[each if each != "HOLDER" else holder for each in one] for one in value]
        if name == "holders"
        else value
        for name, value in changed.items()
    }
    content = said_of(county, holder, "x1", **changed)
    answering(county, told(city, content, 0, **claims))
    answers = await county.find(holder)
    assert len(answers[COUNTY].licences) == 1
    assert answers[CITY].source == pb.ANSWER_SOURCE_UNKNOWN
    assert await county.refused() == {"malformed": 1}
    await county.hear([told(city, content, 1, **claims)])
    assert await county.refused() == {"malformed": 2}


async def test_one_registry_that_fails_holds_up_no_other(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder = city.world.citizen()
    await city.world.stock_licence(holder)
    await city.speak()
    broken = Agreement(replace(city.card(), registry_id="360100-broken"), frozenset(), frozenset({BUSINESS}))
    agreed = {"360100-broken": broken, **county.federation.agreements}
    county.federation = Federation(COUNTY, agreed, county.own_issuers)
    since, asked = county.wire.since, []

    async def failing(peer: Any, ordinal: int, size: int) -> list[str]:
        asked.append(peer.registry_id)
        if peer.registry_id == "360100-broken":
            raise ValueError(peer.registry_id)
        return await since(peer, ordinal, size)

    county.wire.since = failing  # type: ignore[method-assign]
    await county.exchange.catch_up()
    assert set(asked) == {"360100-broken", CITY}
    assert await county.world.count("select count(*) from replica_licence") == 1


class Told:
    """The county tells the city of uses that its readers made."""

    def __init__(self, city: Site, licence_id: str) -> None:
        self.city, self.licence_id = city, licence_id

    def use(self, at: datetime | Timestamp | None = None, reader: str = MARKET, **changed: Any) -> pb.PeerUse:
        moment = at if isinstance(at, Timestamp) else stamp(at or self.city.world.clock())
        given: dict[str, Any] = {
            "usage_id": str(uuid4()),
            "licence_id": self.licence_id,
            "kind": "find",
            "reader": pb.PeerReader(code=reader, name="读者", is_department=True),
            "purpose": purpose(),
            "used_at": moment,
        }
        return pb.PeerUse(**(given | changed))

    async def __call__(self, *uses: pb.PeerUse) -> Sequence[str]:
        with calling(Caller(Peer("registry", COUNTY))):
            request = pb.TellUsesRequest(request_id=str(uuid4()), uses=uses)
            return list((await self.city.servicer.TellUses(request, CONTEXT)).usage_ids)

    async def readers(self) -> list[str]:
        query = "select consumer_code from usage where kind = 'find' and licence_id = $1::text::uuid"
        async with self.city.world.database.transaction() as tx:
            return [row["consumer_code"] for row in await tx.fetch(query, self.licence_id)]


@pytest.fixture
async def tell(sites: tuple[Site, Site]) -> Told:
    city, _ = sites
    licence_id = await city.world.stock_licence(city.world.citizen())
    await city.speak()
    return Told(city, licence_id)


@pytest.mark.parametrize("reader", [MARKET, FIRE, "service/intake"])
async def test_a_peers_reader_is_none_of_ours_whatever_its_code(tell: Told, reader: str) -> None:
    await tell(tell.use(reader=reader))
    assert await tell.readers() == [f"{COUNTY}/{reader}"]


async def test_a_reader_that_a_peer_asks_for_is_recorded_under_the_peers_name(tell: Told) -> None:
    city = tell.city
    holder = city.world.citizen()
    asked = pb.AskSharedRequest(
        holder_id_type_code="111",
        holder_id_number=holder,
        purpose=purpose(),
        reader=pb.PeerReader(code=FIRE, is_department=True),
    )
    tell.licence_id = await city.world.stock_licence(holder)
    with calling(Caller(Peer("registry", COUNTY))):
        assert (await city.servicer.AskShared(asked, CONTEXT)).messages
    assert await tell.readers() == [f"{COUNTY}/{FIRE}"]


async def test_a_told_use_names_purpose_reader_and_time_or_every_wrong_part_is_named(tell: Told) -> None:
    later = tell.city.world.clock() + timedelta(minutes=2)
    uses = [
        tell.use(purpose=licence_pb2.Purpose()),
        tell.use(at=later),
        tell.use(at=datetime(2036, 1, 1, tzinfo=UTC)),
        tell.use(purpose=purpose(use_cause="x" * 100_000)),
        tell.use(at=tell.city.world.clock()),
    ]
    with pytest.raises(Fault, match="INVALID_REQUEST") as refused:
        await tell(*uses)
    assert {each.field_path for each in refused.value.violations} == {
        "uses[0].purpose.use_cause",
        "uses[0].purpose.basis",
        "uses[1].used_at",
        "uses[2].used_at",
        "uses[3].purpose.use_cause",
    }
    malformed = [
        tell.use(at=Timestamp(seconds=2**60)),
        tell.use(at=Timestamp(seconds=-(2**60))),
        tell.use(reader="x" * 101),
        tell.use(reader="x\x00"),
        tell.use(purpose=purpose(use_cause="x\x00")),
        tell.use(kind="burn"),
    ]
    with pytest.raises(Fault, match="INVALID_REQUEST") as refused:
        await tell(*malformed)
    assert [each.field_path for each in refused.value.violations] == [
        "uses[0].used_at",
        "uses[1].used_at",
        "uses[2].reader.code",
        "uses[3].reader.code",
        "uses[4].purpose.use_cause",
        "uses[5].kind",
    ]
    assert await tell.readers() == []


async def test_a_use_from_before_the_peer_was_told_is_settled_without_a_record(tell: Told) -> None:
    early = [
        tell.use(at=datetime(1970, 1, 1, tzinfo=UTC)),
        tell.use(at=tell.city.world.clock() - timedelta(days=1)),
    ]
    assert await tell(*early) == [each.usage_id for each in early]
    assert await tell.readers() == []
