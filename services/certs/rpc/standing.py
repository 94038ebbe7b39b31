"""StandingService over gRPC: where a licence and its seal stood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chassis.db import Transaction
from chassis.rpc.moments import moment_of, stamp
from services.certs.domain.standing import SealStanding, StandingAct
from services.certs.rpc import messages
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.usecases import status_at as verbs
from services.certs.usecases.log import Book, Proof
from tongban.certs.v1 import standing_pb2 as pb
from tongban.certs.v1 import standing_pb2_grpc


@dataclass(frozen=True, slots=True)
class StandingDesk:
    """What the standing's servicer works with besides the desk."""

    seals: verbs.Seals
    book_of: Callable[[Transaction], Book]
    leaves_of: Callable[[Transaction], verbs.StateLeaves]


class StandingServicer(standing_pb2_grpc.StandingServiceServicer):
    """Reads, then asks seal outside of any transaction, then records and signs."""

    def __init__(self, desk: Desk, standing: StandingDesk) -> None:
        self._desk, self._standing = desk, standing

    async def GetStatusAt(self, request: pb.GetStatusAtRequest, context: Context) -> pb.GetStatusAtResponse:
        """Return the status of a licence and of its seal at a time, signed."""
        del context
        desk, now, reader = self._desk, self._desk.clock(), self._desk.reader()
        asked = verbs.Asked(
            request.licence_id,
            request.identifier,
            moment_of(request, "at"),
            moment_of(request, "known_at"),
            messages.purpose(request.purpose),
        )
        async with desk.database.transaction() as tx:
            licence, standing = await verbs.read_standing(desk.registry_of(tx), reader, asked, now)
        seal = await verbs.ask_seal(self._standing.seals, desk.documents, licence, standing)
        async with desk.database.transaction() as tx:
            answered = await verbs.answer_standing(
                desk.registry_of(tx),
                desk.signer,
                reader,
                asked,
                (licence, standing, seal),
                new_id,
                desk.clock(),
            )
            book, leaves = self._standing.book_of(tx), self._standing.leaves_of(tx)
            proof = await verbs.prove_standing(book, leaves, standing)
        return _answer(answered, proof)


def _answer(answered: verbs.Answered, proof: Proof | None) -> pb.GetStatusAtResponse:
    standing = answered.standing
    told = pb.GetStatusAtResponse(
        licence_id=standing.licence_id,
        at=stamp(standing.moments.at),
        known_at=stamp(standing.moments.known_at),
        in_dispute=standing.in_dispute,
        seal=_seal(answered.seal),
        statement=answered.statement,
        usage_id=answered.usage_id,
        history=map(_act, standing.history),
    )
    if standing.status is not None:
        told.status = messages.status_number(standing.status)
    if standing.act is not None:
        told.act.CopyFrom(_act(standing.act))
    if proof is not None:
        told.proof.CopyFrom(
            pb.StandingProof(
                leaf_index=proof.entry.index,
                leaf=proof.entry.content,
                hashes=proof.hashes,
                checkpoint=proof.checkpoint.cosigned_note,
            )
        )
    return told


def _act(act: StandingAct) -> pb.StandingAct:
    told = pb.StandingAct(
        act=act.act,
        effective_at=stamp(act.effective_at),
        recorded_at=stamp(act.recorded_at),
        reason=act.reason,
        basis_document=act.basis_document,
        clause=act.clause,
        version=act.version,
    )
    if act.status is not None:
        told.status = messages.status_number(act.status)
    return told


def _seal(seal: SealStanding) -> pb.SealStanding:
    told = pb.SealStanding(
        result=seal.result,
        reason=seal.reason,
        seal_id=seal.seal_id,
        signature_id=seal.signature_id,
        seal_status=seal.seal_status,
        checks=[
            pb.SealCheck(name=each.name, result=each.result, reason=each.reason, clause=each.clause)
            for each in seal.checks
        ],
    )
    if seal.signed_at:
        told.signed_at.CopyFrom(stamp(seal.signed_at))
    if seal.seal_status_since:
        told.seal_status_since.CopyFrom(stamp(seal.seal_status_since))
    return told
