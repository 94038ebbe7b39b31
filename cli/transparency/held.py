"""What is trusted of a log offline, as it was given: verifier keys, or a file with a checkpoint to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chassis.errors import Kind, declare
from chassis.tlog.checkpoint import open_checkpoint
from chassis.tlog.held import LOG_TRUST_UNREADABLE, HeldLog, known_of, read_held
from chassis.tlog.note import Verifier
from chassis.tlog.proof import LogProof
from cli.clients.transparency import Auditor, Inclusion

PROOF_UNREADABLE = declare(
    "PROOF_UNREADABLE",
    Kind.FAILED_PRECONDITION,
    "无法读取 {path}",
    "Cannot read {path}",
)


def held_log(keys: Sequence[str] | None, file: Path, *, needed: bool = False) -> HeldLog:
    """Return what is trusted: the keys that were given, else what the file says; nothing where there is none.

    Raises NOTE_MALFORMED, LOG_TRUST_UNREADABLE, also for a missing file that is needed.
    """
    if keys:
        return HeldLog(tuple(Verifier.parse(each) for each in keys))
    try:
        return read_held(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if needed:
            raise LOG_TRUST_UNREADABLE(cause=file.name) from None
        return HeldLog()
    except (OSError, UnicodeDecodeError) as problem:
        raise LOG_TRUST_UNREADABLE(cause=type(problem).__name__) from None


async def fetch_held(auditor: Auditor, keys: Sequence[Verifier]) -> HeldLog:
    """Return the newest checkpoint with its subtrees, checked with these keys, to be kept for places offline.

    Raises CHECKPOINT_FORGED, NOTE_MALFORMED, LOG_TRUST_UNREADABLE.
    """
    note, subtrees = await auditor.edge()
    held = HeldLog(tuple(keys), note, tuple(subtrees))
    known_of(open_checkpoint(note, *held.logs)[0], held.subtrees)
    return held


def proof_text(found: Inclusion) -> str:
    """Return a proof as a file, with its leaf; it names no document."""
    from services.certs.app.offline import leaf_proof  # noqa: PLC0415 - only `log proof --to` needs it

    return leaf_proof(found.leaf, LogProof(found.index, tuple(found.hashes), found.checkpoint)).text


def judge_proof(proof: Path, document: Path | None, held: HeldLog) -> dict[str, Any]:
    """Return what the proof beside a licence's document shows, in plain values.

    Raises PROOF_UNREADABLE and what does not hold: LOG_PROOF_MALFORMED, LOG_PROOF_WRONG, CHECKPOINT_FORGED,
    LOG_CONTRADICTED, DOCUMENT_NOT_NAMED, DOCUMENT_OF_ANOTHER.
    """
    from services.certs.app.offline import check_licence_proof  # noqa: PLC0415 - only `log verify --proof` needs it

    content = _bytes(document) if document else None
    try:
        text = _bytes(proof).decode()
    except UnicodeDecodeError:
        raise PROOF_UNREADABLE(path=proof.name) from None
    found, signed, note = check_licence_proof(text, content, held)
    facts = found.said.get("facts")
    said: Mapping[str, Any] = facts if isinstance(facts, dict) else {}
    seen = [(each.name, note.cosigned_at(each)) for each in held.witnesses]
    return {
        "holds": True,
        "licence_id": found.said.get("licence_id"),
        "version": said.get("version"),
        "status": said.get("status"),
        "act": said.get("act"),
        "at": found.said.get("at"),
        "document": "matches" if document else "not_given",
        "leaf_index": found.proof.index,
        "size": signed.size,
        "origin": signed.origin,
        "witnessed_at": {name: at.isoformat() for name, at in seen if at is not None},
    }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise PROOF_UNREADABLE(path=path.name) from None
