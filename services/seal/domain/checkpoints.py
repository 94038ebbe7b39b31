"""Time-stamped points of the ledger: what a token says of the chain's end, each chained to the one before.

The chain of the ledger shows that rows fit together; a checkpoint shows since when they did, by somebody else's key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from services.seal.domain.ledger import GENESIS, Digest, Head


@dataclass(frozen=True, slots=True)
class CheckpointHead:
    """The newest checkpoint as the next one is chained to it: its number, the row it reached, its hash."""

    number: int = 0
    sequence: int = 0
    checkpoint_hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A token over the end of the ledger at a moment (时间戳固化点)."""

    number: int
    sequence: int
    row_hash: bytes
    previous_hash: bytes
    token: bytes
    stamped_at: datetime
    """The token's own time."""

    @property
    def stamped(self) -> bytes:
        """What the token is over."""
        return statement(CheckpointHead(self.number - 1, 0, self.previous_hash), self.end)

    @property
    def end(self) -> Head:
        """The end of the ledger that it vouches for."""
        return Head(self.sequence, self.row_hash)

    def head(self, digest: Digest) -> CheckpointHead:
        """Return what the next one is chained to."""
        return CheckpointHead(self.number, self.sequence, digest(self.stamped + self.token))


def statement(before: CheckpointHead, end: Head) -> bytes:
    """Return the bytes that a token is taken over for the end of the ledger."""
    parts = [
        *("tongban ledger checkpoint 1", before.number + 1, before.checkpoint_hash.hex()),
        *(end.sequence, end.row_hash.hex()),
    ]
    return json.dumps(parts, separators=(",", ":")).encode("ascii")
