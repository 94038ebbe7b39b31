"""Checkpoints (C2SP tlog-checkpoint): the size and root of a log's tree, as the text of a signed note."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from chassis.errors import Kind, declare
from chassis.tlog.note import NOTE_MALFORMED, Note, Signs, Verifier, parse_note
from chassis.tlog.tree import HASH_BYTES

CHECKPOINT_FORGED = declare(
    "CHECKPOINT_FORGED",
    Kind.INVALID_ARGUMENT,
    "检查点没有日志 {origin} 的有效签名",
    "The checkpoint carries no valid signature of the log {origin}",
)
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_LEAST_LINES = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's claim (检查点): under this origin there are so many leaves, and this is their root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def signed(self, signer: Signs) -> str:
        """Return the signed note."""
        return signer.sign(self.text)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint; extension lines are kept out. Raises NOTE_MALFORMED."""
    lines = text.split("\n")
    if len(lines) <= _LEAST_LINES or not lines[0] or not _SIZE.fullmatch(lines[1]):
        raise NOTE_MALFORMED(start=text[:80])
    try:
        root = base64.b64decode(lines[2], validate=True)
    except binascii.Error:
        root = b""
    if len(root) != HASH_BYTES:
        raise NOTE_MALFORMED(start=text[:80])
    return Checkpoint(lines[0], int(lines[1]), root)


def open_checkpoint(note: str, *verifiers: Verifier) -> tuple[Checkpoint, Note]:
    """Return the checkpoint of a note that the log's key signed, or one of its former keys.

    Raises NOTE_MALFORMED, CHECKPOINT_FORGED.
    """
    taken = parse_note(note)
    found = parse_checkpoint(taken.text)
    if all(taken.line_of(each) is None for each in verifiers):
        raise CHECKPOINT_FORGED(origin=found.origin)
    return found, taken
