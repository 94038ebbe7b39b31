"""What a caller may not know of is as if it were not there: every RPC × callers × states of a licence.

The methods come from the descriptors, so that a new one fails until it has a row; the routes are in
test_route_knowledge. A refusal is compared as it goes over the wire, byte for byte, with that for a licence that
there is not; an answer with everything in it but its ids, times and salts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor

from chassis.auth import new_signing_key, public_keys
from chassis.errors import PEER_UNAVAILABLE, Fault
from chassis.rpc.call import Caller, calling
from chassis.rpc.faults import to_rich_status
from chassis.rpc.peer import Peer
from services.certs.app.federation import Exchange
from services.certs.app.transparency import sequencer
from services.certs.domain.federation import Agreement, Federation, PeerRegistry
from services.certs.federated import JoseEnvelopes
from services.certs.rpc.confirmations import ConfirmationServicer
from services.certs.rpc.disputes import DisputeServicer
from services.certs.rpc.evidence import EvidenceServicer
from services.certs.rpc.federation import FederationDesk, FederationServicer
from services.certs.rpc.held_uses import HolderServicer
from services.certs.rpc.life import LicenceLifeServicer
from services.certs.rpc.log import LogDesk, TransparencyServicer
from services.certs.rpc.reliance import RelianceServicer
from services.certs.rpc.sources import SourceServicer
from services.certs.store.log import BookStore
from services.certs.store.replica import ReplicaStore
from services.certs.store.replica_reports import reports
from tests.integration.certs.conftest import BUSINESS, FIRE, MARKET, World, purpose
from tests.integration.certs.known_things import (
    BY_HOLDER,
    BY_ISSUER,
    BY_PURPOSE,
    CONSENT,
    DUTY,
    KNOWN_BY_DUTY,
    OPEN,
    STATES,
    Build,
    Thing,
    anew,
    nothing,
)
from tests.integration.certs.recourse import Recourse, Said
from tests.integration.certs.test_issuing import FOOD
from tests.integration.certs.test_log_service import SIGNER
from tests.security.rights import RPC
from tests.security.test_rpc_rights import ALL
from tongban.certs.v1 import confirmation_pb2, federation_pb2

pytestmark = [pytest.mark.promise("P24")]
COUNTY = "361123-county"
VOLATILE = frozenset({"usage_id", "as_of", "salt", "known_at", "at", "age_seconds"})
OWN_CLAIMS = frozenset({"jti", "iat", "asked", "about", "holder", "licence_id"})
"""What a statement has of its own, or repeats of the question."""
CERTS = {
    f"{descriptor.name}/{method}": descriptor.methods_by_name[method.rsplit("/", 1)[-1]]
    for descriptor, methods in ALL
    if ".certs." in descriptor.full_name
    for method in methods
}


class Away:
    """No other registry answers."""

    async def ask(self, *_: Any) -> list[str]:
        raise PEER_UNAVAILABLE(peer="registry")

    since = tell = ask


class Doors:
    """Every servicer of certs over one world."""

    def __init__(self, world: World) -> None:
        desk, recourse = world.desk, Recourse(world, Said())
        self.world, self.federation = world, Federation("361100-city", {})
        signing, sealing = new_signing_key(), new_signing_key()
        wire: Any = Away()
        exchange = Exchange(
            world.database,
            desk.vault,  # type: ignore[arg-type]
            desk.types,
            lambda: self.federation,
            JoseEnvelopes(signing, sealing),
            wire,
            world.clock,
            timedelta(0),
            3_600.0,
        )
        vault: Any = desk.vault
        self.sealing = sealing
        self.by_service: dict[str, Any] = {
            "ConfirmationService": ConfirmationServicer(desk),
            "DisputeService": DisputeServicer(desk, recourse.disputes._rules),
            "EvidenceService": EvidenceServicer(desk),
            "FederationService": FederationServicer(
                desk,
                FederationDesk(
                    exchange.near,
                    exchange.side_of,
                    lambda tx: ReplicaStore(tx, vault),
                    BookStore,
                    lambda tx: reports(tx, vault),
                ),
            ),
            "HolderService": HolderServicer(desk),
            "LicenceLifeService": LicenceLifeServicer(desk),
            "LicenceService": world.licences,
            "PresentationService": world.presentations,
            "RelianceService": RelianceServicer(desk),
            "SourceService": SourceServicer(desk),
            "StandingService": recourse.standing,
            "TransparencyService": TransparencyServicer(desk, LogDesk(BookStore, SIGNER.verifier)),
            "UseCodeService": world.use_codes,
        }
        self._step = sequencer(world.database, SIGNER)

    async def settle(self) -> None:
        """Have the log know what is stored."""
        while await self._step():
            pass

    async def told(self, method: str, request: Any) -> tuple[str, Any]:
        """Return what a caller is told, so that two answers can be compared: a refusal byte by byte."""
        service, name = method.split("/")
        try:
            answer = await getattr(self.by_service[service], name)(request, None)
        except Fault as refusal:
            return "refused", to_rich_status(refusal).SerializeToString(deterministic=True)
        return "answered", self._comparable(answer)

    def _comparable(self, answer: Any) -> Any:
        said: dict[str, Any] = {field.name: value for field, value in answer.ListFields()}
        for name, kind in (
            ("statement", "answer"),
            ("statement", "standing"),
            ("signed_json", "holder-uses"),
        ):
            try:
                claims = self.world.desk.signer.read(said[name], kind)
            except (KeyError, Fault, TypeError):
                continue
            said[name] = {key: value for key, value in claims.items() if key not in OWN_CLAIMS}
        for each in said.get("answers", ()):
            each.ClearField("as_of")
        return {name: str(value) for name, value in said.items() if name not in VOLATILE}


@contextmanager
def calling_as(caller: str) -> Iterator[None]:
    kind, _, name = caller.partition("/")
    with calling(Caller(Peer(kind, name))):  # type: ignore[arg-type]
        yield


def with_basis(request: Any, basis: int) -> Any:
    changed = type(request)()
    changed.CopyFrom(request)
    changed.purpose.basis = basis  # type: ignore[assignment]
    return changed


def test_every_rpc_of_certs_has_its_row_or_its_reason() -> None:
    rows = [set(BY_PURPOSE), set(BY_HOLDER), set(BY_ISSUER), set(OPEN)]
    assert set().union(*rows) == set(CERTS)
    assert sum(map(len, rows)) == len(CERTS), "in one table each"
    assert {f"certs.{each}" for each in CERTS} == {each for each in RPC if each.startswith("certs.")}


def holds(descriptor: Descriptor, wanted: str, seen: frozenset[str] = frozenset()) -> bool:
    """Say whether a message holds another one somewhere."""
    if descriptor.full_name == wanted:
        return True
    inner = [each.message_type for each in descriptor.fields if each.message_type]
    known = seen | {descriptor.full_name}
    return any(holds(each, wanted, known) for each in inner if each.full_name not in known)


def test_whatever_shows_a_licence_states_a_purpose_or_acts_on_ones_own() -> None:
    shown_by_code = {"PresentationService/VerifyPresentation", "UseCodeService/ConsumeUseCode"}
    for name, method in CERTS.items():
        if holds(method.output_type, "tongban.certs.v1.Licence"):
            purposeful = "purpose" in method.input_type.fields_by_name
            assert purposeful or name in shown_by_code or name in BY_ISSUER, name
        if "purpose" in method.input_type.fields_by_name:
            by_own_row = {"ConfirmationService/ConfirmFace", "FederationService/AskShared"}
            assert name in BY_PURPOSE or name in by_own_row, name


@pytest.mark.parametrize("state", STATES)
async def test_who_may_not_know_of_a_licence_is_told_what_he_is_told_of_none(world: World, state: str):
    doors = Doors(world)
    thing = await STATES[state](world)
    await doors.settle()
    absent, stranger = nothing(world, thing), world.citizen()
    outsider = f"department/{FIRE}"
    compared = 0

    async def same(method: str, build: Build, caller: str, basis: int | None = None, of: str = "") -> None:
        nonlocal compared
        told = []
        for each in (thing, absent):
            request = build(world, each, stranger)
            with calling_as(caller):
                told.append(await doors.told(method, with_basis(request, basis) if basis else request))
        assert told[0] == told[1], (method, of, caller, basis)
        compared += 1

    for method, builds in BY_PURPOSE.items():
        for way, build in builds.items():
            await same(method, build, outsider, CONSENT, way)
            if state == "pending_seal":
                await same(method, build, outsider, DUTY, way)
    for method, build in BY_HOLDER.items():
        await same(method, build, "service/intake")
    for method, build in BY_ISSUER.items():
        if method not in KNOWN_BY_DUTY or state == "pending_seal":
            await same(method, build, outsider)
    assert compared > len(BY_PURPOSE) + len(BY_HOLDER) + len(BY_ISSUER) - 2
    assert await world.count("select count(*) from dispute") == (1 if state == "frozen" else 0)


@pytest.mark.parametrize("state", ["published", "pending_seal", "other_county"])
async def test_who_may_know_of_it_is_told_something_else(world: World, state: str):
    """The other side of the comparison: it would find a difference if there were one."""
    doors = Doors(world)
    thing = await STATES[state](world)
    await doors.settle()
    absent = nothing(world, thing)
    unanswered = {"EvidenceService/AnswerPredicate", "EvidenceService/MakeAnnotatedCopy"}
    for method, builds in BY_PURPOSE.items():
        for way, build in builds.items():
            told = []
            for each in (thing, absent):
                with calling_as(f"department/{thing.issuer}"):
                    told.append(await doors.told(method, build(world, each, "")))
            if state != "pending_seal" or method not in unanswered:
                assert told[0] != told[1], (method, way)
    for method in ("RelianceService/CountReliances", "TransparencyService/GetInclusionProof"):
        told = []
        for each in (thing, absent):
            with calling_as(f"department/{thing.issuer}"):
                told.append(await doors.told(method, BY_ISSUER[method](world, each, "")))
        assert told[0] != told[1], method


async def test_a_list_does_not_grow_by_what_its_reader_may_not_know_of(world: World):
    doors, stranger = Doors(world), world.citizen()
    lists = {name: build for name, build in (BY_ISSUER | BY_HOLDER).items() if "/List" in name}
    nobody = Thing("", "", "", stranger)

    async def listed() -> dict[str, Any]:
        found = {}
        for method, build in lists.items():
            caller = "service/intake" if method in BY_HOLDER else f"department/{FIRE}"
            with calling_as(caller):
                found[method] = await doors.told(method, build(world, nobody, stranger))
        return found

    before = await listed()
    for state in ("published", "pending_seal", "frozen", "other_county"):
        await STATES[state](world)
    await doors.settle()
    assert await listed() == before


@pytest.mark.parametrize(
    "method", [*BY_PURPOSE, "ConfirmationService/ConfirmFace", "FederationService/AskShared"]
)
async def test_a_read_without_purpose_or_basis_is_refused_naming_both(world: World, method: str):
    doors, thing = Doors(world), nothing(world, Thing(anew(), "x1", "1", ""))
    agreed(doors, BUSINESS)
    person = {"holder_id_type_code": "111", "holder_id_number": thing.holder}
    more: dict[str, Any] = {
        "ConfirmationService/ConfirmFace": confirmation_pb2.ConfirmFaceRequest(
            **person, type_code=BUSINESS, face={"KZ_MC": "x"}, purpose=purpose()
        ),
        "FederationService/AskShared": federation_pb2.AskSharedRequest(
            **person, purpose=purpose(), reader=federation_pb2.PeerReader(code=MARKET)
        ),
    }
    builds = BY_PURPOSE.get(method) or {"": lambda *_: more[method]}
    caller = f"registry/{COUNTY}" if method.endswith("AskShared") else f"department/{FIRE}"
    service, name = method.split("/")
    for build in builds.values():
        for missing in ({"use_cause", "basis"}, {"use_cause"}, {"basis"}):
            request = with_basis(build(world, thing, ""), DUTY)
            for each in missing:
                request.purpose.ClearField(each)
            with calling_as(caller), pytest.raises(Fault) as refused:
                await getattr(doors.by_service[service], name)(request, None)
            assert refused.value.code == "INVALID_REQUEST"
            named = {each.field_path for each in refused.value.violations}
            assert named == {f"purpose.{each}" for each in missing}
    assert await world.count("select count(*) from usage") == 0


@pytest.mark.parametrize("method", ["UseCodeService/IssueUseCode", "UseCodeService/IssueDutyUseCode"])
async def test_a_code_without_a_purpose_or_its_ground_is_refused_naming_both(world: World, method: str):
    doors, thing = Doors(world), nothing(world, Thing(anew(), "x1", "1", ""))
    request = (BY_HOLDER | BY_ISSUER)[method](world, thing, thing.holder)
    ground = "legal_article" if "Duty" in method else "consent_version"
    for each in ("use_cause", ground):
        request.ClearField(each)
    with calling_as(f"department/{FIRE}"), pytest.raises(Fault) as refused:
        await getattr(world.use_codes, method.split("/")[1])(request, None)
    assert {each.field_path for each in refused.value.violations} == {"use_cause", ground}
    assert doors


def agreed(doors: Doors, *types: str) -> None:
    key = new_signing_key()
    keys = public_keys([key]).as_dict(private=False)
    sealing: Any = public_keys([doors.sealing]).as_dict(private=False)["keys"][0]
    card = PeerRegistry(COUNTY, COUNTY, "127.0.0.1:1", keys, sealing, str(SIGNER.verifier))
    doors.federation = Federation("361100-city", {COUNTY: Agreement(card, frozenset(types), frozenset())})


@pytest.mark.parametrize("state", STATES)
async def test_a_peer_registry_is_told_nothing_of_types_that_are_not_agreed(world: World, state: str):
    doors = Doors(world)
    thing = await STATES[state](world)
    absent = nothing(world, thing)
    agreed(doors, FOOD if thing.type_code != FOOD else BUSINESS)
    before = await world.count("select count(*) from usage")
    asked, used = [], []
    for each in (thing, absent):
        question = federation_pb2.AskSharedRequest(
            holder_id_type_code="111",
            holder_id_number=each.holder,
            type_codes=[BUSINESS, FOOD],
            purpose=purpose(),
            reader=federation_pb2.PeerReader(code=FIRE, is_department=True),
        )
        use = federation_pb2.PeerUse(
            usage_id="018f0000-0000-7000-8000-00000000000a",
            licence_id=each.licence_id,
            kind="find",
            reader=federation_pb2.PeerReader(code=FIRE, is_department=True),
            purpose=purpose(),
            used_at=question_time(world),
        )
        with calling_as(f"registry/{COUNTY}"):
            asked.append(await doors.told("FederationService/AskShared", question))
            telling = federation_pb2.TellUsesRequest(request_id=anew(), uses=[use])
            used.append(await doors.told("FederationService/TellUses", telling))
    assert asked[0] == asked[1]
    assert used[0] == used[1]
    assert await world.count("select count(*) from usage") == before


def question_time(world: World) -> Any:
    from tests.integration.certs.evidence_room import stamp

    return stamp(world.clock())
