"""What proves that a state another registry told of is in its log: the leaf itself, and its way to a root.

A message carries the leaf of the act and the hashes that lead from it to the root of a tree. Which root that
is, the proof says; whether the registry's log ever had it, its checkpoints say.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chassis.errors import Kind, declare
from chassis.tlog.proof import LOG_PROOF_WRONG
from chassis.tlog.tree import leaf_hash, root_from_inclusion
from services.certs.domain.federation.message import LicenceMessage
from services.certs.domain.log import LICENCE
from services.certs.domain.log.leaf import moment

PROVED_WITHIN = timedelta(seconds=60)
"""How long a state is shown before its proof; after that the replica does not answer with it."""

REPLICA_UNPROVED = declare(
    "REPLICA_UNPROVED",
    Kind.UNAVAILABLE,
    "颁发地登记库尚未证明该证照状态已记入其日志",
    "The issuer has not proved that this state of the licence is in its log",
)


@dataclass(frozen=True, slots=True)
class LeafProof:
    """That a leaf leads to a root in a tree of a size; size 0 when nothing was proved."""

    size: int = 0
    root: bytes = b""


def proof_of(message: LicenceMessage) -> LeafProof:
    """Return where the proof of a message leads. Raises LOG_PROOF_WRONG for one that no log can bear out.

    The leaf must say of this licence what the message says, be the one the message names, and its way must be as
    long as one of its place in a tree of that size is. A message without a tree size proves nothing.
    """
    if not message.tree_size:
        return LeafProof()
    hashed = leaf_hash(message.leaf.encode())
    root = root_from_inclusion(message.leaf_index, message.tree_size, hashed, message.proof)
    if root is None or hashed != message.leaf_hash or not says_so(message.leaf.encode(), message):
        raise LOG_PROOF_WRONG()
    return LeafProof(message.tree_size, root)


def says_so(leaf: bytes, message: LicenceMessage) -> bool:
    """Say whether a leaf says of a licence's state what a message says.

    Uses of a licence may have made its version higher since; they have leaves of another kind.
    """
    try:
        said: Any = json.loads(leaf)
        facts = said["facts"]
        told = (said["kind"], said["licence_id"], said["at"], facts["effective_at"])
        state, version = (facts["act"], facts["status"]), int(facts["version"])
    except (KeyError, OverflowError, TypeError, ValueError, RecursionError):
        return False
    moments = (moment(message.recorded_at), moment(message.effective_at))
    is_told = told == (LICENCE, message.licence_id, *moments)
    return is_told and state == (message.act, message.status.value) and version <= message.version
