"""FederationService over gRPC: for our readers, for other registries, for operators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from chassis.db import Transaction
from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, refuse
from chassis.rpc.call import caller
from chassis.rpc.moments import stamp
from services.certs.domain.federation import Agreement, ReplicaState, Source
from services.certs.domain.wording import stated_violations
from services.certs.rpc import messages, peer_messages
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.rpc.shared_reads import SharedReads
from services.certs.usecases.federation.exchanging import (
    OwnSide,
    answer_peer,
    messages_since,
    start_again,
    take_uses,
)
from services.certs.usecases.federation.finding import Neighbours, SharedShown, find_shared
from services.certs.usecases.federation.ports import Replica
from services.certs.usecases.log import Book
from services.certs.usecases.read import Question
from tongban.certs.v1 import federation_pb2 as pb
from tongban.certs.v1 import federation_pb2_grpc, licence_pb2

REASON_LIMIT = 200
_SOURCES = {
    Source.OWN: pb.ANSWER_SOURCE_OWN,
    Source.ISSUER: pb.ANSWER_SOURCE_ISSUER,
    Source.REPLICA: pb.ANSWER_SOURCE_REPLICA,
    Source.NOBODY: pb.ANSWER_SOURCE_UNKNOWN,
}


class Report(Protocol):
    """What operators see of one replica."""

    @property
    def state(self) -> ReplicaState:
        """How far it is."""

    @property
    def licences(self) -> int:
        """How many licences it holds."""

    @property
    def owed(self) -> int:
        """Uses its registry was not told of yet."""

    @property
    def refused(self) -> dict[str, int]:
        """How many messages were refused, by reason."""


@dataclass(frozen=True, slots=True)
class FederationDesk:
    """What the servicer needs beside the desk."""

    near: Callable[[], Neighbours]
    side_of: Callable[[Transaction], OwnSide]
    replica_of: Callable[[Transaction], Replica]
    book_of: Callable[[Transaction], Book]
    reports: Callable[[Transaction], Awaitable[Sequence[Report]]]


class FederationServicer(federation_pb2_grpc.FederationServiceServicer):
    """Look-ups across registries; each call of a registry is for the one that its certificate names."""

    def __init__(self, desk: Desk, federation: FederationDesk) -> None:
        self._desk, self._federation = desk, federation
        self._reads = SharedReads(desk.database, desk.registry_of, desk.types, new_id)

    async def FindShared(self, request: pb.FindSharedRequest, context: Context) -> pb.FindSharedResponse:
        """Return a holder's licences here and elsewhere, each registry's answer with its source and age."""
        del context
        desk, now = self._desk, self._desk.clock()
        question = Question(
            request.holder_id_type_code,
            request.holder_id_number,
            tuple(request.type_codes),
            messages.purpose(request.purpose),
            request.usable_only,
        )
        found = await find_shared(self._reads, self._federation.near(), desk.reader(), question, new_id, now)
        return pb.FindSharedResponse(answers=[_answer(each) for each in found])

    async def AskShared(self, request: pb.AskSharedRequest, context: Context) -> pb.AskSharedResponse:
        """Return signed statements for the registry that asks."""
        del context
        question = peer_messages.question(request)
        async with self._desk.database.transaction() as tx:
            side = self._federation.side_of(tx)
            found = await answer_peer(side, _agreed(side), question, new_id, self._desk.clock())
        return pb.AskSharedResponse(messages=found)

    async def GetReplicaSince(
        self, request: pb.GetReplicaSinceRequest, context: Context
    ) -> pb.GetReplicaSinceResponse:
        """Return what the asking registry may have missed."""
        del context
        refuse(FIELD_MALFORMED.at(name) for name in ("ordinal", "log_size") if getattr(request, name) < 0)
        async with self._desk.database.transaction() as tx:
            side, book = self._federation.side_of(tx), self._federation.book_of(tx)
            found = await messages_since(
                side, book, _agreed(side), request.ordinal, request.log_size, self._desk.clock()
            )
        return pb.GetReplicaSinceResponse(messages=found)

    async def TellUses(self, request: pb.TellUsesRequest, context: Context) -> pb.TellUsesResponse:
        """Record uses of our licences that were made of a replica."""
        desk = self._desk
        uses = peer_messages.uses(request)
        async with desk.database.transaction() as tx:
            side = self._federation.side_of(tx)
            agreement = _agreed(side)

            async def work() -> pb.TellUsesResponse:
                return pb.TellUsesResponse(usage_ids=await take_uses(side, agreement, uses, desk.clock()))

            del context
            return await desk.once(tx, request, pb.TellUsesResponse, work)

    async def ListReplicas(
        self, request: pb.ListReplicasRequest, context: Context
    ) -> pb.ListReplicasResponse:
        """Return how far each replica is."""
        del request, context
        now = self._desk.clock()
        async with self._desk.database.transaction() as tx:
            found = await self._federation.reports(tx)
        return pb.ListReplicasResponse(replicas=[_report(each, now) for each in found])

    async def RestartReplica(
        self, request: pb.RestartReplicaRequest, context: Context
    ) -> pb.RestartReplicaResponse:
        """Forget a replica, so that it is filled anew."""
        del context
        desk = self._desk
        missing = [] if request.registry_id else [FIELD_REQUIRED.at("registry_id")]
        refuse([*missing, *stated_violations("reason", request.reason, REASON_LIMIT)])
        self._federation.near().federation.of(request.registry_id)
        async with desk.database.transaction() as tx:

            async def work() -> pb.RestartReplicaResponse:
                await start_again(self._federation.replica_of(tx), request.registry_id)
                return pb.RestartReplicaResponse()

            return await desk.once(tx, request, pb.RestartReplicaResponse, work)


def federation_servicer(desk: Desk, federation: FederationDesk) -> tuple[Callable[[Any, Any], None], object]:
    """Return the servicer with the function that registers it."""
    add = federation_pb2_grpc.add_FederationServiceServicer_to_server
    return add, FederationServicer(desk, federation)


def _agreed(side: OwnSide) -> Agreement:
    """Return the agreement with the registry that calls. Raises REGISTRY_UNKNOWN, FEDERATION_OFF."""
    peer = caller().peer
    assert peer is not None, "the access rule lets registries in"
    return side.federation.of(peer.name)


def _answer(shown: SharedShown) -> pb.RegistryAnswer:
    sighting = shown.sighting
    if sighting.source is Source.OWN:
        licences = [pb.SharedLicence(licence=messages.licence(each)) for each in shown.licences]
    else:
        licences = [
            pb.SharedLicence(
                licence=_foreign(messages.licence(each)),
                act=said.act,
                effective_at=stamp(said.effective_at),
                use_frozen=said.use_frozen,
            )
            for each, said in zip(shown.licences, sighting.found, strict=True)
        ]
    return pb.RegistryAnswer(
        registry_id=sighting.registry_id,
        source=_SOURCES[sighting.source],
        licences=licences,
        as_of=stamp(sighting.as_of) if sighting.as_of else None,
        age_seconds=sighting.age_seconds,
        reason=sighting.reason,
    )


def _foreign(found: licence_pb2.Licence) -> licence_pb2.Licence:
    """Return a licence without an etag: nobody changes another registry's licence here."""
    found.etag = ""
    return found


def _report(each: Report, now: datetime) -> pb.ReplicaReport:
    state = each.state
    return pb.ReplicaReport(
        registry_id=state.registry_id,
        through=state.through,
        as_of=stamp(state.verified_at) if state.verified_at else None,
        age_seconds=state.age_seconds(now) if state.verified_at else 0.0,
        log_size=state.size,
        licences=each.licences,
        owed_uses=each.owed,
        frozen_at=stamp(state.frozen_at) if state.frozen_at else None,
        frozen_cause=state.frozen_cause,
        checkpoint=state.checkpoint,
        fork_note=state.fork_note,
        refused=each.refused,
    )
