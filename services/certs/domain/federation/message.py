"""What registries tell each other: where a licence stands, and that they live. Claims of a signature.

What is personal, and all that a licence says, is in ``content``, encrypted for the recipient. The rest is
what everybody may see who carries the message: ids, codes, numbers, times.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.certs.domain.federation.reading import MESSAGE_MALFORMED, items, moment, number, text
from services.certs.domain.status import LicenceStatus

FORM = 1
"""A reader that knows another form must not guess."""
LICENCE, HEARTBEAT, SUPERSEDED = "licence", "heartbeat", "superseded"
KIND = "replica"
"""The kind of signature: nothing signed for this passes for anything else."""
NOTHING_COMPLETE = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a heartbeat that only tells of the log, while licences from before are still being told."""
ANSWER_ORDINAL = 0
"""Of a message that answers a question and is no part of the stream."""
CONTENT_LIMIT = 512 * 1024
CHECKPOINT_LIMIT = 64 * 1024
LEAF_LIMIT = 4 * 1024
HASH_BYTES, PROOF_LIMIT = 32, 64
"""Of the log's tree (RFC 9162, SHA-256): a path to a root is never longer than a number of leaves has bits."""


@dataclass(frozen=True, slots=True)
class LicenceMessage:
    """Where one licence stands at its issuer's registry.

    ``ordinal`` counts all that one recipient was told of licences, ``sequence`` what it was told of this one;
    both begin at 1 and have no holes. ``prior_ordinal`` is that of the message before about the same licence,
    0 for the first. ``content`` is empty when it was erased or overtaken.
    """

    issuer: str
    audience: str
    licence_id: str
    ordinal: int
    sequence: int
    prior_ordinal: int
    version: int
    type_code: str
    status: LicenceStatus
    act: str
    use_frozen: bool
    effective_at: datetime
    recorded_at: datetime
    content: str = field(repr=False)
    leaf_index: int = -1
    """The leaf of the act in the issuer's log; -1 where the log was begun later."""
    leaf_hash: bytes = b""
    superseded: bool = False
    """A later message says more; this one only fills its place."""
    leaf: str = ""
    """The leaf itself, by which ``leaf_hash`` is shown to say what this message says."""
    tree_size: int = 0
    """Of the tree in which ``proof`` leads from the leaf to the root; 0 when nothing is proved yet."""
    proof: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """That a registry lives, how much it has told, and how long its log is (心跳)."""

    issuer: str
    audience: str
    beat: int
    at: datetime
    ordinal: int
    """Of the newest licence message before this beat."""
    checkpoint: str
    """The newest checkpoint of its log, a signed note."""
    previous_size: int
    """The size from which ``proof`` leads to the checkpoint's."""
    proof: tuple[bytes, ...] = ()


Message = LicenceMessage | Heartbeat


def claims_of(message: Message) -> dict[str, Any]:
    """Return what is signed."""
    head: dict[str, Any] = {"form": FORM, "issuer": message.issuer, "audience": message.audience}
    if isinstance(message, Heartbeat):
        return head | {
            "kind": HEARTBEAT,
            "at": _moment(message.at),
            "beat": message.beat,
            "ordinal": message.ordinal,
            "checkpoint": message.checkpoint,
            "previous_size": message.previous_size,
            "proof": _texts(message.proof),
        }
    return head | {
        "kind": SUPERSEDED if message.superseded else LICENCE,
        "licence_id": message.licence_id,
        "ordinal": message.ordinal,
        "sequence": message.sequence,
        "prior_ordinal": message.prior_ordinal,
        "version": message.version,
        "type_code": message.type_code,
        "status": message.status.value,
        "act": message.act,
        "use_frozen": message.use_frozen,
        "effective_at": _moment(message.effective_at),
        "recorded_at": _moment(message.recorded_at),
        "leaf_index": message.leaf_index,
        "leaf_hash": message.leaf_hash.hex(),
        "leaf": message.leaf,
        "tree_size": message.tree_size,
        "proof": _texts(message.proof),
        "content": message.content,
    }


def message_of(claims: Mapping[str, Any]) -> Message:
    """Return the message of verified claims. Raises MESSAGE_MALFORMED naming the first part that is wrong."""
    if number(claims.get("form"), "form") != FORM:
        raise MESSAGE_MALFORMED(part="form")
    kind = text(claims.get("kind"), "kind")
    if kind == HEARTBEAT:
        return _heartbeat(claims)
    if kind in {LICENCE, SUPERSEDED}:
        return _licence(claims, superseded=kind == SUPERSEDED)
    raise MESSAGE_MALFORMED(part="kind")


def _licence(claims: Mapping[str, Any], *, superseded: bool) -> LicenceMessage:
    licence_id = text(claims.get("licence_id"), "licence_id")
    status = text(claims.get("status"), "status")
    try:
        canonical = str(UUID(licence_id))
        leaf_hash = bytes.fromhex(text(claims.get("leaf_hash"), "leaf_hash", 2 * HASH_BYTES))
    except ValueError:
        raise MESSAGE_MALFORMED(part="licence_id or leaf_hash") from None
    if canonical != licence_id or status not in set(LicenceStatus):
        raise MESSAGE_MALFORMED(part="licence_id or status")
    return LicenceMessage(
        text(claims.get("issuer"), "issuer"),
        text(claims.get("audience"), "audience"),
        licence_id,
        number(claims.get("ordinal"), "ordinal"),
        number(claims.get("sequence"), "sequence"),
        number(claims.get("prior_ordinal"), "prior_ordinal"),
        number(claims.get("version"), "version"),
        text(claims.get("type_code"), "type_code"),
        LicenceStatus(status),
        text(claims.get("act"), "act"),
        claims.get("use_frozen") is True,
        moment(claims.get("effective_at"), "effective_at"),
        moment(claims.get("recorded_at"), "recorded_at"),
        text(claims.get("content"), "content", CONTENT_LIMIT),
        number(claims.get("leaf_index"), "leaf_index", least=-1),
        leaf_hash,
        superseded,
        text(claims.get("leaf", ""), "leaf", LEAF_LIMIT),  # none of these three from an earlier release
        number(claims.get("tree_size", 0), "tree_size"),
        _hashes(claims.get("proof", [])),
    )


def _heartbeat(claims: Mapping[str, Any]) -> Heartbeat:
    return Heartbeat(
        text(claims.get("issuer"), "issuer"),
        text(claims.get("audience"), "audience"),
        number(claims.get("beat"), "beat"),
        moment(claims.get("at"), "at"),
        number(claims.get("ordinal"), "ordinal"),
        text(claims.get("checkpoint"), "checkpoint", CHECKPOINT_LIMIT),
        number(claims.get("previous_size"), "previous_size"),
        _hashes(claims.get("proof")),
    )


def _hashes(said: object) -> tuple[bytes, ...]:
    proof = items(said, "proof", PROOF_LIMIT)
    try:
        hashes = tuple(base64.b64decode(each, validate=True) for each in proof)
    except (binascii.Error, TypeError, ValueError):
        raise MESSAGE_MALFORMED(part="proof") from None
    if any(len(each) != HASH_BYTES for each in hashes):
        raise MESSAGE_MALFORMED(part="proof")
    return hashes


def _texts(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(each).decode() for each in hashes]


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
