"""What an offline statement proves of the transparency log, judged with what is held of the log alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from chassis.errors import Fault, Kind, declare
from chassis.tlog.checkpoint import CHECKPOINT_FORGED
from chassis.tlog.compact import CompactProof, read_compact, spelled_out
from chassis.tlog.held import HeldLog, contradicting, hashes_on_path
from chassis.tlog.note import Note
from chassis.tlog.proof import LOG_PROOF_WRONG, check_proof
from services.certs.domain.log import LICENCE
from services.certs.domain.presentation import LogEvidence, Statement
from services.certs.domain.status import LicenceStatus

LOG_PROOF_OF_ANOTHER = declare(
    "LOG_PROOF_OF_ANOTHER",
    Kind.INVALID_ARGUMENT,
    "日志证明针对的是另一证照、另一版本或另一状态",
    "The log's proof is of another licence, another version or another status",
)
LOG_CONTRADICTED = declare(
    "LOG_CONTRADICTED",
    Kind.INVALID_ARGUMENT,
    "该二维码所依据的日志与本机保存的检查点（{size} 条）相矛盾：日志曾被改写或分叉",
    "The log behind this code contradicts the checkpoint of {size} leaves held here: it was rewritten or forked",
)


class LogStanding(StrEnum):
    """Whether a state is shown to be in the log."""

    VERIFIED = "verified"
    NOT_TAKEN_YET = "not_taken_yet"
    """The registry says so: the state is newer than its log's newest checkpoint. Nothing of it is proved."""
    NO_LOG_KEY = "no_log_key_held"
    LOG_KEY_UNKNOWN = "log_key_unknown"
    """Signed by a key that is not held: a newer one, or none of the log's."""


@dataclass(frozen=True, slots=True)
class LogFinding:
    """What was found of the log."""

    standing: LogStanding
    index: int | None = None
    size: int | None = None
    logged_at: str = ""
    """When the act happened, as the leaf says."""
    witnessed_at: Mapping[str, datetime] = field(default_factory=dict)
    """When each held witness saw the checkpoint; empty where none of them has, or none is held."""
    compared_with: int | None = None
    """The size of the held checkpoint, where it bears this proof out; None where the two do not meet."""


def check_log(statement: Statement, evidence: LogEvidence | None, held: HeldLog) -> LogFinding:
    """Return what a statement, whose own signature was verified, proves of the log.

    Raises LOG_PROOF_WRONG, LOG_PROOF_OF_ANOTHER, LOG_PROOF_MALFORMED, LOG_CONTRADICTED.
    """
    if (evidence.digest if evidence else "") != statement.log_digest:
        raise LOG_PROOF_WRONG()
    if evidence is None:
        return LogFinding(LogStanding.NOT_TAKEN_YET)
    proof = read_compact(evidence.proof)
    _require_same(statement, evidence.leaf)
    if not held.logs:
        return LogFinding(LogStanding.NO_LOG_KEY, proof.index, proof.size)
    found = spelled_out(proof, evidence.leaf, held.keys)
    if found is None:
        return LogFinding(LogStanding.LOG_KEY_UNKNOWN, proof.index, proof.size)
    try:
        _, note = check_proof(found, evidence.leaf, *held.logs)
    except Fault as fault:
        raise (LOG_PROOF_WRONG() if fault.reason is CHECKPOINT_FORGED else fault) from None
    seen = _witnessed(note, proof, held)
    compared = compare(proof.index, proof.size, evidence.leaf, proof.hashes, held)
    at = str(_content(evidence.leaf).get("at", ""))
    return LogFinding(LogStanding.VERIFIED, proof.index, proof.size, at, seen, compared)


def shows_state(leaf: bytes, licence_id: str, version: int, status: str) -> bool:
    """Say whether a leaf is of this state: a term that ended since the act leaves no leaf of its own."""
    content = _content(leaf)
    facts = content.get("facts")
    if not isinstance(facts, dict) or content.get("kind") != LICENCE:
        return False
    said = (content.get("licence_id"), facts.get("version"), facts.get("status"))
    expired = status == LicenceStatus.EXPIRED and said[2] in {LicenceStatus.VALID, LicenceStatus.SUSPENDED}
    return said == (licence_id, version, said[2] if expired else status)


def _require_same(statement: Statement, leaf: bytes) -> None:
    if not shows_state(leaf, statement.licence_id, statement.version, statement.status):
        raise LOG_PROOF_OF_ANOTHER()


def _content(leaf: bytes) -> dict[str, Any]:
    try:
        content = json.loads(leaf)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _witnessed(note: Note, proof: CompactProof, held: HeldLog) -> dict[str, datetime]:
    """Return which held witnesses saw the checkpoint. A line of a held key that does not hold is a forgery."""
    seen = {each.name: note.cosigned_at(each) for each in held.witnesses}
    claimed = {
        each.name for each in held.witnesses if any(line[:4] == each.key_id for line in proof.cosignatures)
    }
    found = {name: at for name, at in seen.items() if at is not None}
    if claimed - found.keys():
        raise LOG_PROOF_WRONG()
    return found


def compare(index: int, size: int, leaf: bytes, hashes: Sequence[bytes], held: HeldLog) -> int | None:
    """Return the size of the held checkpoint that bears a checked proof out, None where the two do not meet.

    Raises LOG_CONTRADICTED.
    """
    known = held.known()
    if not known:
        return None
    held_size = max(end for _, end in known)
    shown = hashes_on_path(index, size, leaf, hashes)
    if contradicting(shown, known) is not None:
        raise LOG_CONTRADICTED(size=held_size)
    vouches = any(start <= index < end for start, end in shown.keys() & known.keys())
    return held_size if vouches else None
