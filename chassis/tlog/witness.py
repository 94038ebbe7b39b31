"""What is said between a log and a witness (C2SP tlog-witness), and the rule by which a witness answers.

A request says from which size on the log grew, proves it, and brings the checkpoint. A witness remembers
for each log the newest checkpoint it signed; it signs another only if that one is a later state of it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from chassis.errors import Fault
from chassis.tlog.checkpoint import CHECKPOINT_FORGED, Checkpoint, open_checkpoint, parse_checkpoint
from chassis.tlog.note import NOTE_MALFORMED, Verifier, parse_note
from chassis.tlog.tree import EMPTY_ROOT, HASH_BYTES, is_consistent

PATH = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
REQUEST_LIMIT = 64 * 1024
_LONGEST_PROOF = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest checkpoint of a log that a witness signed; nothing of a log yet is the empty tree."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A checkpoint with the proof that it is a later state of the tree of the old size."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str

    @property
    def body(self) -> bytes:
        """The request as it is sent."""
        lines = [f"old {self.old_size}", *(base64.b64encode(each).decode() for each in self.proof)]
        return ("\n".join(lines) + "\n\n" + self.note).encode()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a witness answers; ``checkpoint`` only where it may be signed, ``evidence`` where the log lied."""

    status: HTTPStatus
    text: str = ""
    checkpoint: Checkpoint | None = None
    evidence: tuple[str, str] | None = None
    """Two notes that the log's key signed and that cannot both be true."""


def parse_request(body: bytes) -> Request:
    """Read a request. Raises NOTE_MALFORMED."""
    try:
        head, found, note = body.decode().partition("\n\n")
        first, *rest = head.split("\n")
        proof = tuple(base64.b64decode(each, validate=True) for each in rest)
    except (UnicodeDecodeError, binascii.Error):
        raise NOTE_MALFORMED(start="") from None
    old = _OLD.fullmatch(first)
    if not old or not found or len(proof) > _LONGEST_PROOF or any(len(each) != HASH_BYTES for each in proof):
        raise NOTE_MALFORMED(start=first[:80])
    return Request(int(old[1]), proof, note)


def judge(body: bytes, logs: Sequence[Verifier], seen_of: dict[str, Seen]) -> Judgement:
    """Return what a witness that trusts these logs answers, from what it has seen of each (by origin)."""
    try:
        request = parse_request(body)
        origin = parse_checkpoint(parse_note(request.note).text).origin
        log = next((each for each in logs if each.name == origin), None)
        if log is None:
            return Judgement(HTTPStatus.NOT_FOUND, "unknown log\n")
        checkpoint, _ = open_checkpoint(request.note, log)
    except Fault as fault:
        forged = fault.reason is CHECKPOINT_FORGED
        return Judgement(HTTPStatus.FORBIDDEN if forged else HTTPStatus.BAD_REQUEST, f"{fault.code}\n")
    return _answer(request, checkpoint, seen_of.get(origin, Seen()))


def _answer(request: Request, checkpoint: Checkpoint, seen: Seen) -> Judgement:
    lies = checkpoint.size == seen.size and checkpoint.root != seen.root
    evidence = (seen.note, request.note) if lies else None
    if request.old_size > checkpoint.size:
        return Judgement(HTTPStatus.BAD_REQUEST, "the old size is beyond the checkpoint\n", evidence=evidence)
    if request.old_size != seen.size or lies:
        return Judgement(HTTPStatus.CONFLICT, f"{seen.size}\n", evidence=evidence)
    if not is_consistent(seen.size, seen.root, checkpoint.size, checkpoint.root, request.proof):
        return Judgement(HTTPStatus.UNPROCESSABLE_ENTITY, "the proof does not hold\n")
    return Judgement(HTTPStatus.OK, checkpoint=checkpoint)
