"""Two registries on real databases, everything of federation but the bus between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.auth import new_signing_key, public_keys
from chassis.clock import system_clock
from chassis.db import Database
from chassis.errors import PEER_UNAVAILABLE
from chassis.event import Envelope, new_event_id
from chassis.fields import FieldCipher
from chassis.files import DirectoryStore
from chassis.keyring import new_keyring, parse_keyring
from chassis.migrate import migrate
from chassis.outbox import outbox_writer
from chassis.requests import EncryptedAnswers
from chassis.rpc.call import Caller, calling
from chassis.rpc.peer import Peer
from chassis.tlog.note import ED25519, Signer
from events.certs import ReplicaSent
from services.certs.app import read_catalogue
from services.certs.app.federation import Exchange
from services.certs.domain.federation import (
    Agreement,
    Federation,
    Heartbeat,
    LicenceMessage,
    PeerRegistry,
    ReplicaState,
)
from services.certs.domain.status import LicenceStatus
from services.certs.federated import JoseEnvelopes
from services.certs.rpc import Desk, IntakeStatements, JwsSigner
from services.certs.rpc.federation import FederationDesk, FederationServicer
from services.certs.rpc.imports import LicenceImportServicer
from services.certs.rpc.licences import LicenceServicer
from services.certs.store import TypeTable, Vault, open_registry
from services.certs.store.log import BookStore
from services.certs.store.replica import ReplicaStore
from services.certs.store.replica_reports import reports
from services.certs.usecases.federation.ports import OwedUse, PeerQuestion
from services.certs.usecases.log import sequence
from tests.integration.certs.conftest import BUSINESS, CATALOGUE, CONTEXT, MARKET, MovingClock, World, purpose
from tongban.certs.v1 import federation_pb2 as pb
from tongban.certs.v1 import licence_pb2

CITY, COUNTY = "361100-city", "361123-county"
NAME = "丰小玉"
OWN_COUNTIES = {CITY: "361103", COUNTY: "361123"}
"""Whose departments each registry has; the county's own market bureau is none of the city's."""
COUNTY_MARKET = "11361123TB20000139"


@dataclass
class Wire:
    """The other registry, asked through its servicer as over gRPC; it can be cut."""

    other: Callable[[], Site]
    own: str
    cut: bool = False

    async def ask(self, peer: PeerRegistry, question: PeerQuestion) -> list[str]:
        basis = licence_pb2.Basis.Value(f"BASIS_{question.purpose.basis.name}")  # type: ignore[union-attr]
        request = pb.AskSharedRequest(
            holder_id_type_code=question.id_type_code,
            holder_id_number=question.id_number,
            type_codes=question.type_codes,
            purpose=licence_pb2.Purpose(
                use_cause=question.purpose.use_cause,
                basis=basis,
                item_code=question.purpose.item_code,
                case_id=question.purpose.case_id,
            ),
            reader=pb.PeerReader(code=question.reader.code, name=question.reader.name, is_department=True),
        )
        return list((await self._call("AskShared", request)).messages)

    async def since(self, peer: PeerRegistry, ordinal: int, size: int) -> list[str]:
        request = pb.GetReplicaSinceRequest(ordinal=ordinal, log_size=size)
        return list((await self._call("GetReplicaSince", request)).messages)

    async def tell(self, peer: PeerRegistry, uses: Sequence[OwedUse]) -> None:
        told = [
            pb.PeerUse(
                usage_id=each.usage_id,
                licence_id=each.licence_id,
                kind=each.kind,
                reader=pb.PeerReader(code=each.reader.code, name=each.reader.name, is_department=True),
                purpose=purpose(),
                used_at=each.used_at,
            )
            for each in uses
        ]
        await self._call("TellUses", pb.TellUsesRequest(request_id=str(uuid4()), uses=told))

    async def _call(self, method: str, request: Any) -> Any:
        if self.cut:
            raise PEER_UNAVAILABLE(peer="registry")
        with calling(Caller(Peer("registry", self.own))):
            return await getattr(self.other().servicer, method)(request, CONTEXT)


@dataclass
class Site:
    """One registry with its keys, its database and everything of federation but the bus."""

    registry_id: str
    world: World
    vault: Vault
    log_signer: Signer
    signing: Any
    sealing: Any
    wire: Wire
    own_issuers: frozenset[str]
    federation: Federation = field(default_factory=Federation)
    exchange: Exchange = None  # type: ignore[assignment]
    servicer: FederationServicer = None  # type: ignore[assignment]
    taken: int = 0

    def card(self) -> PeerRegistry:
        return PeerRegistry(
            self.registry_id,
            self.registry_id,
            "127.0.0.1:1",
            public_keys([self.signing]).as_dict(private=False),
            public_keys([self.sealing]).as_dict(private=False)["keys"][0],
            str(self.log_signer.verifier),
        )

    def agree(self, *agreements: Agreement) -> None:
        agreed = {each.registry_id: each for each in agreements}
        self.federation = Federation(self.registry_id, agreed, self.own_issuers)

    async def log(self) -> None:
        async with self.world.database.transaction() as tx:
            await sequence(BookStore(tx), self.log_signer, tx.now())

    async def outbox(self) -> list[ReplicaSent]:
        """Return what was sent since the last call."""
        async with self.world.database.transaction() as tx:
            rows = await tx.fetch(
                "select seq, payload from event_log where type = $1 and seq > $2 order by seq",
                ReplicaSent.TYPE,
                self.taken,
            )
        self.taken = rows[-1]["seq"] if rows else self.taken
        return [ReplicaSent.model_validate_json(row["payload"]) for row in rows]

    async def speak(self) -> list[ReplicaSent]:
        """Have everything told that there is to tell, and a heartbeat; return it."""
        await self.log()
        while await self.exchange.send():
            pass
        return await self.outbox()

    async def hear(self, sent: Sequence[ReplicaSent]) -> None:
        for each in sent:
            async with self.world.database.transaction() as tx:
                event = ReplicaSent(**each.model_dump())
                envelope = Envelope(new_event_id(), "", "", event.stream, 1, system_clock())
                await self.exchange.hear(tx, event, envelope, None)

    async def find(self, holder: str, **changed: Any) -> dict[str, pb.RegistryAnswer]:
        request = pb.FindSharedRequest(
            holder_id_type_code="111", holder_id_number=holder, purpose=purpose(), **changed
        )
        with self.world.as_department():
            found = await self.servicer.FindShared(request, CONTEXT)
        return {each.registry_id: each for each in found.answers}

    async def state(self, registry_id: str) -> ReplicaState:
        async with self.world.database.transaction() as tx:
            return await ReplicaStore(tx, self.vault).state(registry_id) or ReplicaState(registry_id)

    async def refused(self) -> dict[str, int]:
        async with self.world.database.transaction() as tx:
            found: dict[str, int] = {}
            for each in await reports(tx, self.vault):
                for reason, times in each.refused.items():
                    found[reason] = found.get(reason, 0) + times
            return found

    async def change(self, licence_id: str, status: LicenceStatus) -> None:
        with self.world.as_department():
            held = await self.world.licences.GetLicence(
                licence_pb2.GetLicenceRequest(licence_id=licence_id, purpose=purpose()), CONTEXT
            )
            await self.world.licences.ChangeLicenceStatus(
                licence_pb2.ChangeLicenceStatusRequest(
                    request_id=str(uuid4()),
                    licence_id=licence_id,
                    etag=held.licence.etag,
                    status=licence_pb2.LicenceStatus.Value(f"LICENCE_STATUS_{status.name}"),
                    reason="发现申请材料虚假",
                    basis_document="饶市监撤〔2026〕1号",
                    operator="李四",
                    second_person="王五",
                ),
                CONTEXT,
            )


async def make_site(dsn: str, home: Path, name: str, made: list[Site], number: int) -> Site:
    await migrate("certs", dsn)
    clock = MovingClock()
    database = await Database.open(dsn, now=clock, write_events=outbox_writer("//tongban/certs"), max_size=6)
    cipher = FieldCipher(parse_keyring(new_keyring(datetime.now(UTC))), service="certs")
    vault = Vault(cipher)
    types, departments = read_catalogue(CATALOGUE)
    desk = Desk(
        database,
        lambda tx: open_registry(tx, vault),
        vault,
        EncryptedAnswers(cipher),
        DirectoryStore(home / "documents"),
        types,
        departments,
        JwsSigner(new_signing_key()),
        clock,
        type_records=lambda tx: TypeTable(tx, vault),
        statements=IntakeStatements(public_keys([new_signing_key()])),
    )
    world = World(
        desk,
        database,
        clock,
        LicenceServicer(desk),
        LicenceImportServicer(desk),
        None,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        home / "documents",
    )
    world.numbers = iter(range(1 + 20_000 * number, 20_000 * (number + 1)))
    signer = Signer(f"tongban.test/{name}", ED25519, Ed25519PrivateKey.generate())
    signing, sealing = new_signing_key(), new_signing_key()
    wire = Wire(lambda: next(each for each in made if each.registry_id != name), name)
    own = frozenset(code for code in departments.codes if code[2:8] == OWN_COUNTIES[name])
    site = Site(name, world, vault, signer, signing, sealing, wire, own)
    site.exchange = Exchange(
        database,
        vault,
        types,
        lambda: site.federation,
        JoseEnvelopes(signing, sealing),
        wire,
        clock,
        timedelta(0),
        3_600.0,
    )
    site.servicer = FederationServicer(
        desk,
        FederationDesk(
            site.exchange.near,
            site.exchange.side_of,
            lambda tx: ReplicaStore(tx, vault),
            BookStore,
            lambda tx: reports(tx, vault),
        ),
    )
    return site


def forged(message: LicenceMessage | Heartbeat, key: Any, sealing: Any = None) -> ReplicaSent:
    """A message of the right form, signed with a key of the sender's choice."""
    signed = JoseEnvelopes(key, sealing or key).sign(message)
    return ReplicaSent(
        stream=f"{message.audience}/x",
        registry_id=message.issuer,
        recipient_id=message.audience,
        message=signed,
    )


def about(licence_id: str, issuer: str, audience: str, ordinal: int = 1, **changed: Any) -> LicenceMessage:
    now = datetime.now(UTC)
    given: dict[str, Any] = {
        "issuer": issuer,
        "audience": audience,
        "licence_id": licence_id,
        "ordinal": ordinal,
        "sequence": 1,
        "prior_ordinal": 0,
        "version": 2,
        "type_code": BUSINESS,
        "status": LicenceStatus.REVOKED,
        "act": "revoke",
        "use_frozen": False,
        "effective_at": now,
        "recorded_at": now,
        "content": "",
    }
    return LicenceMessage(**(given | changed))


def said_of(site: Site, holder: str, identifier: str, **changed: Any) -> str:
    """Return what a peer says of a licence, sealed for a site; its issuer is one of the city's."""
    given = {
        "identifier": identifier,
        "number": "2026000077",
        "holders": [["111", holder, NAME]],
        "type_name": "营业执照",
        "issuer_code": MARKET,
        "issuer_name": "上饶市广丰区市场监督管理局",
        "county_code": "361103",
        "issued_date": "2024-03-05",
        "valid_from": "",
        "valid_until": "",
        "trust_grade": "A",
        "serial_version": 1,
        "face": {},
    } | changed
    return JoseEnvelopes(site.signing, site.sealing).seal(json.dumps(given).encode(), site.card())
