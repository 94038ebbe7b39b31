"""Proofs that travel (C2SP tlog-proof): a leaf's index, the hashes to the root, the checkpoint that signs the root.

A proof is checked without the log, with the keys of the log and of its witnesses alone. What ``extra``
holds is the application's; nothing of it is signed.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from chassis.errors import Kind, declare
from chassis.tlog.checkpoint import Checkpoint, open_checkpoint
from chassis.tlog.note import Note, Verifier
from chassis.tlog.tree import HASH_BYTES, is_included, leaf_hash

HEAD = "c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"
PROOF_LIMIT = 64 * 1024
LONGEST_PROOF = 63
LOG_PROOF_MALFORMED = declare(
    "LOG_PROOF_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "不是有效的日志证明",
    "Not a proof of a transparency log (C2SP tlog-proof)",
)
LOG_PROOF_WRONG = declare(
    "LOG_PROOF_WRONG",
    Kind.INVALID_ARGUMENT,
    "日志证明不成立：所示内容不在所签的日志中",
    "The proof does not hold: what is shown is not in the log that was signed",
)
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class LogProof:
    """That a leaf is in a log (存在性证明); nothing of it is checked yet."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    """The signed note."""
    extra: bytes = field(default=b"", repr=False)

    @property
    def text(self) -> str:
        """The proof as it is kept in a file."""
        extra = [f"extra {base64.b64encode(self.extra).decode()}"] if self.extra else []
        hashes = [base64.b64encode(each).decode() for each in self.hashes]
        return "\n".join([HEAD, *extra, f"index {self.index}", *hashes]) + f"\n\n{self.checkpoint}"


def parse_proof(text: str) -> LogProof:
    """Read a proof; only its form is checked. Raises LOG_PROOF_MALFORMED."""
    top, found, checkpoint = text.partition("\n\n")
    head, *lines = top.split("\n")
    extra = lines.pop(0).removeprefix("extra ") if lines and lines[0].startswith("extra ") else None
    index = _INDEX.fullmatch(lines[0]) if lines else None
    if head != HEAD or not found or index is None or len(text) > PROOF_LIMIT or extra == "":
        raise LOG_PROOF_MALFORMED()
    try:
        content = base64.b64decode(extra or "", validate=True)
        hashes = tuple(base64.b64decode(each, validate=True) for each in lines[1:])
    except (binascii.Error, ValueError):
        raise LOG_PROOF_MALFORMED() from None
    if len(hashes) > LONGEST_PROOF or any(len(each) != HASH_BYTES for each in hashes):
        raise LOG_PROOF_MALFORMED()
    proof = LogProof(int(index[1]), hashes, checkpoint, content)
    if proof.text != text:  # a hash has one text: the last sign of Base64 has bits to spare
        raise LOG_PROOF_MALFORMED()
    return proof


def check_proof(proof: LogProof, leaf: bytes, *verifiers: Verifier) -> tuple[Checkpoint, Note]:
    """Return the checkpoint under which a leaf is proved, signed by one of the log's keys.

    Raises LOG_PROOF_WRONG, CHECKPOINT_FORGED, NOTE_MALFORMED.
    """
    signed, note = open_checkpoint(proof.checkpoint, *verifiers)
    if not is_included(proof.index, signed.size, leaf_hash(leaf), proof.hashes, signed.root):
        raise LOG_PROOF_WRONG()
    return signed, note
