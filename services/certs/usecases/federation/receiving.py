"""Take what another registry tells: only what it signed, only of its own licences, only what was agreed.

1. The signature must be of a key of the registry that the message names, and the message be for us.
2. Its place in the stream is noted, whatever becomes of it; what arrived before changes nothing.
3. A type that was not agreed is refused, and a licence that is ours, of an issuer that the registry does not
   speak for, or that another registry told of: nobody speaks for somebody else, so a replica never overrules
   an issuer.
4. The newest message about a licence counts, in whatever order they come.
5. A heartbeat counts when its log is a later state of the log we know. A log that is not is a fork: the
   replica is frozen and says so, until an operator has settled it.
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
    Agreement,
    Federation,
    Heartbeat,
    LicenceMessage,
    Refusal,
    ReplicaState,
    licence_of,
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
                refusal = await _take(replica, federation, agreement, envelopes, message, digest, now)
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
    if through is None:
        return refusal
    if refusal is None and not message.superseded:
        refusal = await _store(replica, federation, agreement, envelopes, message, digest, now)
    if through != state.through:
        await replica.save_state(state.after_message(through))
    return refusal


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
    now: datetime,
) -> Refusal | None:
    if message.ordinal <= await replica.ordinal_of(message.licence_id):
        return None
    if message.act == ERASE:
        await replica.erase(message, digest, now)
        return None
    try:
        licence = licence_of(message, envelopes.open(message.content))
    except Fault as fault:
        return refusal_of(fault)
    if not await is_theirs(replica, federation, agreement, licence):
        return Refusal.NOT_THEIRS
    await replica.put(message, licence, digest, now)
    return None


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
    if not _is_newer(state, beat):
        return Received(issuer)
    if state.frozen_at is not None:
        return Received(issuer, Refusal.FORKED, state.frozen_cause)
    fork = _fork(state, beat, checkpoint)
    if fork:
        await replica.save_state(state.frozen(now, fork, beat.checkpoint))
        return Received(issuer, Refusal.FORKED, fork)
    if state.size and checkpoint.size > state.size and beat.previous_size != state.size:
        return Received(issuer, needs_proof=True)
    heard = state.after_beat(
        beat.at, beat.beat, beat.ordinal, beat.checkpoint, checkpoint.size, checkpoint.root
    )
    await replica.save_state(heard)
    return Received(issuer)


def _is_newer(state: ReplicaState, beat: Heartbeat) -> bool:
    if state.heard_at is None:
        return True
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
