"""Take what another registry tells: only what it signed, only of its own licences, only what was agreed.

1. The signature must be of a key of the registry that the message names, and the message be for us.
2. Its place in the stream is noted, whatever becomes of it; what arrived before changes nothing.
3. A type that was not agreed is refused, and a licence that is ours, of an issuer that the registry does not
   speak for, or that another registry told of: nobody speaks for somebody else, so a replica never overrules
   an issuer.
4. The newest message about a licence counts, in whatever order they come.
5. A heartbeat counts when its log is a later state of the log we know. A log that is not is a fork: the
   replica is frozen and says so, until an operator has settled it.
6. A licence's state is proved once its leaf leads to a root that the log had by such a heartbeat. Which of both comes
   first makes no difference. One that leads to another root, or cannot be right, freezes the replica as a fork does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Fault
from chassis.tlog.checkpoint import Checkpoint, open_checkpoint
from chassis.tlog.note import Verifier
from chassis.tlog.tree import is_consistent
from services.certs.domain.federation import (
    CLOCKS_APART,
    MOST,
    NOTHING_COMPLETE,
    Agreement,
    Federation,
    Heartbeat,
    LicenceMessage,
    Refusal,
    ReplicaState,
    licence_of,
    proof_of,
)
from services.certs.usecases.federation.believing import digest_of, is_theirs, refusal_of
from services.certs.usecases.federation.ports import Envelopes, Replica
from services.certs.usecases.federation.sending import ERASE


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a message."""

    issuer: str
    refusal: Refusal | None = None
    detail: str = ""
    needs_proof: bool = False
    """A heartbeat that cannot be judged yet: its proof leads from a log size we do not know."""


async def receive(
    replica: Replica, federation: Federation, envelopes: Envelopes, signed: str, now: datetime
) -> Received:
    """Take one message, or record why it is refused. Whatever it holds, nothing raises but an outage."""
    issuer = envelopes.issuer_of(signed)
    digest = digest_of(signed)
    agreement = federation.agreements.get(issuer) if issuer != federation.registry_id else None
    licence_id, detail = "", ""
    if agreement is None:
        refusal: Refusal | None = Refusal.UNKNOWN_ISSUER
    else:
        try:
            message = envelopes.verify(signed, agreement.peer)
        except Fault as fault:
            refusal, detail = refusal_of(fault), fault.code
        else:
            licence_id = message.licence_id if isinstance(message, LicenceMessage) else ""
            if message.issuer != issuer or message.audience != federation.registry_id:
                refusal = Refusal.NOT_FOR_US
            elif isinstance(message, Heartbeat):
                found = await _hear(replica, agreement, message, now)
                if found.needs_proof:
                    return found
                refusal, detail = found.refusal, found.detail
            else:
                refusal = await _take(replica, federation, agreement, envelopes, message, signed, digest, now)
                detail = _contradiction(message) if refusal is Refusal.PROOF_WRONG else ""
    if refusal is not None:
        await replica.refuse(digest, agreement.registry_id if agreement else "", licence_id, refusal, now)
    return Received(agreement.registry_id if agreement else "", refusal, detail)


async def receive_all(
    replica: Replica, federation: Federation, envelopes: Envelopes, messages: Sequence[str], now: datetime
) -> list[Received]:
    """Take messages in their order."""
    return [await receive(replica, federation, envelopes, each, now) for each in messages]


async def _take(
    replica: Replica,
    federation: Federation,
    agreement: Agreement,
    envelopes: Envelopes,
    message: LicenceMessage,
    signed: str,
    digest: bytes,
    now: datetime,
) -> Refusal | None:
    state = await replica.lock_state(agreement.registry_id)
    if state.frozen_at is not None:
        return Refusal.FORKED
    if message.ordinal < 1:
        return Refusal.MALFORMED  # an answer to a question is no part of the stream
    refusal = await _judge(replica, agreement, message)
    through = await replica.take_ordinal(agreement.registry_id, state.through, message.ordinal)
    if through is None and not await _is_asked_for(replica, message):
        return refusal
    if refusal is None and not message.superseded:
        refusal = await _store(replica, federation, agreement, envelopes, message, digest, state, now)
    if refusal is Refusal.PROOF_WRONG:
        await replica.save_state(state.frozen(now, _contradiction(message), signed))
    elif through is not None and through != state.through:
        await replica.save_state(state.after_message(through))
    return refusal


async def _is_asked_for(replica: Replica, message: LicenceMessage) -> bool:
    """Say whether a message that arrived before is told again with the proof that was missing."""
    return bool(message.tree_size) and await replica.proofs.is_waiting(message)


async def _judge(replica: Replica, agreement: Agreement, message: LicenceMessage) -> Refusal | None:
    if message.superseded:
        return None
    if message.type_code not in agreement.accept:
        return Refusal.TYPE_NOT_AGREED
    others = await replica.authority_of(message.licence_id, "") - {agreement.registry_id}
    is_ours = await replica.is_ours(message.licence_id, "")
    return Refusal.NOT_THEIRS if others or is_ours else None


async def _store(
    replica: Replica,
    federation: Federation,
    agreement: Agreement,
    envelopes: Envelopes,
    message: LicenceMessage,
    digest: bytes,
    state: ReplicaState,
    now: datetime,
) -> Refusal | None:
    newest = await replica.ordinal_of(message.licence_id)
    if message.ordinal < newest or (message.ordinal == newest and not await _is_asked_for(replica, message)):
        return None
    try:
        proof = proof_of(message)
        licence = None if message.act == ERASE else licence_of(message, envelopes.open(message.content))
    except Fault as fault:
        return refusal_of(fault)
    if licence is not None and not await is_theirs(replica, federation, agreement, licence):
        return Refusal.NOT_THEIRS
    root = await _root_at(replica, state, proof.size)
    if root not in {None, proof.root}:
        return Refusal.PROOF_WRONG
    if licence is None:
        await replica.erase(message, digest, now)
    else:
        await replica.put(message, licence, digest, now)
    await replica.proofs.keep(message, proof, now, proved=root is not None)
    return None


async def _root_at(replica: Replica, state: ReplicaState, size: int) -> bytes | None:
    """Return the root that the log had at a size as far as its heartbeats told; None for what proves nothing."""
    if not size:
        return None
    return state.root if size == state.size else await replica.proofs.root_at(state.registry_id, size)


def _contradiction(message: LicenceMessage) -> str:
    """Return in ids and numbers what does not hold."""
    place = f"leaf {message.leaf_index} in the tree of {message.tree_size}"
    return f"wrong proof of {place}: licence {message.licence_id}"


async def _hear(replica: Replica, agreement: Agreement, beat: Heartbeat, now: datetime) -> Received:
    issuer = agreement.registry_id
    if beat.at > now + CLOCKS_APART:
        return Received(issuer, Refusal.CLOCK_AHEAD)
    try:
        keys = [Verifier.parse(each) for each in agreement.peer.every_log_key]
        checkpoint, _ = open_checkpoint(beat.checkpoint, *keys)
    except Fault as fault:
        return Received(issuer, refusal_of(fault), fault.code)
    if checkpoint.size > MOST:
        return Received(issuer, Refusal.MALFORMED, "checkpoint")
    state = await replica.lock_state(issuer)
    is_newer = _is_newer(state, beat)
    if not is_newer and checkpoint.size <= state.size:
        return Received(issuer)
    if state.frozen_at is not None:
        return Received(issuer, Refusal.FORKED, state.frozen_cause)
    fork = _fork(state, beat, checkpoint)
    if fork:
        await replica.save_state(state.frozen(now, fork, beat.checkpoint))
        return Received(issuer, Refusal.FORKED, fork)
    if state.size and checkpoint.size > state.size and beat.previous_size != state.size:
        return Received(issuer, needs_proof=True)
    log = (beat.checkpoint, checkpoint.size, checkpoint.root)
    heard = state.after_beat(beat.at, beat.beat, beat.ordinal, *log) if is_newer else state.after_log(*log)
    wrong = await _settle(replica, state, checkpoint, now)
    await replica.save_state(heard.frozen(now, wrong, beat.checkpoint) if wrong else heard)
    return Received(issuer, Refusal.PROOF_WRONG if wrong else None, wrong)


async def _settle(replica: Replica, state: ReplicaState, checkpoint: Checkpoint, now: datetime) -> str:
    """Have what waits for a root proved by it; return what contradicts it, empty when nothing does."""
    if checkpoint.size == state.size:
        return ""
    await replica.proofs.keep_root(state.registry_id, checkpoint.size, checkpoint.root)
    return await replica.proofs.settle(state.registry_id, checkpoint.size, checkpoint.root, now)


def _is_newer(state: ReplicaState, beat: Heartbeat) -> bool:
    if state.heard_at is None:
        return beat.at > NOTHING_COMPLETE
    return beat.at > state.heard_at or (beat.at == state.heard_at and beat.beat > state.heard_beat)


def _fork(state: ReplicaState, beat: Heartbeat, checkpoint: Checkpoint) -> str:
    """Return how a checkpoint contradicts the one we know, empty when it does not or cannot be judged yet."""
    if not state.size:
        return ""
    sizes = f"{state.size} then {checkpoint.size}"
    if checkpoint.size < state.size:
        return f"the log became shorter: {sizes}"
    if checkpoint.size == state.size:
        return "" if checkpoint.root == state.root else f"another root at size {state.size}"
    if beat.previous_size != state.size:
        return ""
    proved = is_consistent(state.size, state.root, checkpoint.size, checkpoint.root, beat.proof)
    return "" if proved else f"no consistency proof: {sizes}"
