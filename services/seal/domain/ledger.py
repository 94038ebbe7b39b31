"""The ledger of seal uses: append-only, every row chained to the one before it by digest.

Refused uses stand in it too. A changed, removed or inserted row breaks the chain from there on.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from datetime import UTC, datetime

SEALED = "sealed"
GENESIS = bytes(32)
"""What the first row is chained to."""
_SIGNATURES = uuid.UUID("7a0f6a9e-4c55-5b1c-9a86-6d1f5a3c0e27")
_REQUESTS = uuid.UUID("2f3b8d54-7c0e-5a6d-9b41-c8e0d7f15a92")
_SECOND_FORM = "2"
Digest = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: number and hash of the last row."""

    sequence: int = 0
    row_hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class UseDetail:
    """What rows of the second form say besides: who asked, what for, by which right, and for which counts.

    `account` is ``kind/name`` of the calling system, `reviewer` the person it named; `request_digest` is the hex
    SHA-256 of all that was asked. Refusals have neither grant nor count.
    """

    document_type: str
    service_item: str
    account: str
    reviewer: str = ""
    request_id: str = ""
    item_id: str = ""
    mode: str = ""
    format: str = ""
    document_count: int = 1
    grant_id: str = ""
    approvers: int = 0
    day_uses: int = 0
    request_digest: str = ""


@dataclass(frozen=True, slots=True)
class UseEntry:
    """What is recorded of one use: for which document and case, with which seal, when, and how it ended.

    `outcome` is ``sealed`` or the reason of a refusal; a refused use has no seal where none was found, and
    empty digests. Digests are hex. A document that is no licence has no `licence_id`. Rows of the first form have
    no `detail`; their hash is computed as it ever was.
    """

    signature_id: str
    seal_id: str
    licence_id: str
    case_id: str
    issuer_code: str
    outcome: str
    unsealed_sha256: str
    document_sm3: str
    signature_sm3: str
    used_at: datetime
    detail: UseDetail | None = None


@dataclass(frozen=True, slots=True)
class SealUse:
    """A row of the ledger (用印记录)."""

    sequence: int
    entry: UseEntry
    previous_hash: bytes
    row_hash: bytes


def signature_id_of(licence_id: str) -> str:
    """Return the one id of a licence's sealing: the same however often it is asked for."""
    return str(uuid.uuid5(_SIGNATURES, licence_id))


def pdf_signature_id_of(licence_id: str) -> str:
    """Return the one id of the sealing of a licence's PDF companion."""
    return signature_id_of(f"{licence_id}/pdf")


def signature_id_of_request(account: str, request_id: str, item_id: str = "") -> str:
    """Return the one id of a sealing that somebody asked for: the same for each repetition."""
    return str(uuid.uuid5(_REQUESTS, json.dumps([account, request_id.lower(), item_id])))


def link(head: Head, entry: UseEntry, digest: Digest) -> SealUse:
    """Return the row that follows the head."""
    sequence = head.sequence + 1
    return SealUse(sequence, entry, head.row_hash, digest(head.row_hash + _canonical(sequence, entry)))


def follow(head: Head, uses: Iterable[SealUse], digest: Digest) -> tuple[Head, int | None]:
    """Return the end of the chain after these rows, and the number of the first one that does not fit, if any."""
    for use in uses:
        if use != link(head, use.entry, digest):
            return head, head.sequence + 1
        head = Head(use.sequence, use.row_hash)
    return head, None


def _canonical(sequence: int, entry: UseEntry) -> bytes:
    parts: list[object] = [
        sequence,
        entry.signature_id,
        entry.seal_id,
        entry.licence_id,
        entry.case_id,
        entry.issuer_code,
        entry.outcome,
        entry.unsealed_sha256,
        entry.document_sm3,
        entry.signature_sm3,
        entry.used_at.astimezone(UTC).isoformat(timespec="microseconds"),
    ]
    if entry.detail is not None:  # starts with a text where the first form starts with a number
        parts = [_SECOND_FORM, *parts, *astuple(entry.detail)]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()
