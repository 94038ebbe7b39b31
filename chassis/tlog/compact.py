"""A proof in few bytes, for places like a QR code: what whoever holds the log's key knows anyway is left out.

Index and size of the tree as LEB128, the hashes (their number follows from these two), key id and signature
of the log (4 + 64 bytes), then for each cosignature key id, time and signature (4 + 8 + 64). The origin
is the name of the key, the root follows from leaf and hashes: a wrong hash is a wrong signature.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.tlog.checkpoint import Checkpoint, parse_checkpoint
from chassis.tlog.note import COSIGNATURE, Verifier, parse_note
from chassis.tlog.proof import LOG_PROOF_MALFORMED, LOG_PROOF_WRONG, LogProof
from chassis.tlog.tree import HASH_BYTES, inclusion_ranges, leaf_hash, root_from_inclusion

ID_BYTES = 4
SIGNED_BYTES = ID_BYTES + 64
COSIGNED_BYTES = SIGNED_BYTES + 8
LARGEST = 2**63 - 1
_GROUP = 7
_MORE = 1 << _GROUP
_LONGEST_NUMBER = 9


@dataclass(frozen=True, slots=True)
class CompactProof:
    """A proof without what its reader knows; nothing of it is checked yet."""

    index: int
    size: int
    hashes: tuple[bytes, ...]
    signature: bytes
    """Key id and signature of the log."""
    cosignatures: tuple[bytes, ...] = ()

    def __bytes__(self) -> bytes:
        """Return the bytes that travel."""
        parts = (_number(self.index), _number(self.size), *self.hashes, self.signature, *self.cosignatures)
        return b"".join(parts)

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the log's key."""
        return self.signature[:ID_BYTES]


def compact(proof: LogProof, cosignatures: int = 1) -> CompactProof:
    """Return a proof in few bytes, with its first so many cosignatures. Raises NOTE_MALFORMED, LOG_PROOF_MALFORMED."""
    note = parse_note(proof.checkpoint)
    signed = parse_checkpoint(note.text)
    own, seen = b"", []
    for line in note.lines:
        name, _, encoded = line.removeprefix("— ").partition(" ")
        content = _decoded(encoded)
        if len(content) == SIGNED_BYTES and name == signed.origin:
            own = own or content
        elif len(content) == COSIGNED_BYTES:
            seen.append(content)
    if not own or len(proof.hashes) != _length(proof.index, signed.size):
        raise LOG_PROOF_MALFORMED()
    return CompactProof(proof.index, signed.size, proof.hashes, own, tuple(seen[:cosignatures]))


def read_compact(content: bytes) -> CompactProof:
    """Read a proof of few bytes; only its form is checked. Raises LOG_PROOF_MALFORMED."""
    index, at = _read_number(content, 0)
    size, at = _read_number(content, at)
    end = at + _length(index, size) * HASH_BYTES
    rest = content[end + SIGNED_BYTES :]
    if len(content) < end + SIGNED_BYTES or len(rest) % COSIGNED_BYTES:
        raise LOG_PROOF_MALFORMED()
    hashes = tuple(content[n : n + HASH_BYTES] for n in range(at, end, HASH_BYTES))
    seen = tuple(rest[n : n + COSIGNED_BYTES] for n in range(0, len(rest), COSIGNED_BYTES))
    return CompactProof(index, size, hashes, content[end : end + SIGNED_BYTES], seen)


def spelled_out(proof: CompactProof, leaf: bytes, verifiers: Sequence[Verifier]) -> LogProof | None:
    """Return the whole proof for whoever holds the log's key; None without the key that signed it.

    Of the cosignatures those of held keys are in it. Raises LOG_PROOF_WRONG.
    """
    log = next((each for each in verifiers if _is_by(proof.signature, each)), None)
    if log is None:
        return None
    root = root_from_inclusion(proof.index, proof.size, leaf_hash(leaf), proof.hashes)
    if root is None:
        raise LOG_PROOF_WRONG()
    lines = [_line(log, proof.signature)]
    lines += [_line(key, each) for each in proof.cosignatures for key in verifiers if _is_by(each, key)]
    text = Checkpoint(log.name, proof.size, root).text
    return LogProof(proof.index, proof.hashes, text + "\n" + "".join(lines))


def _is_by(signature: bytes, verifier: Verifier) -> bool:
    is_cosignature = len(signature) == COSIGNED_BYTES
    return signature[:ID_BYTES] == verifier.key_id and is_cosignature == (verifier.kind == COSIGNATURE)


def _line(verifier: Verifier, signature: bytes) -> str:
    return f"— {verifier.name} {base64.b64encode(signature).decode()}\n"


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return b""


def _length(index: int, size: int) -> int:
    if not 0 <= index < size <= LARGEST:
        raise LOG_PROOF_MALFORMED()
    return len(inclusion_ranges(index, size))


def _number(value: int) -> bytes:
    found = bytearray()
    while value >= _MORE:
        found.append(value % _MORE | _MORE)
        value >>= _GROUP
    return bytes([*found, value])


def _read_number(content: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends; one written longer than needed is none."""
    value, start = 0, at
    while at < len(content) and at - start < _LONGEST_NUMBER:
        byte = content[at]
        value |= (byte % _MORE) << (_GROUP * (at - start))
        at += 1
        if byte < _MORE:
            if _number(value) == content[start:at]:
                return value, at
            break
    raise LOG_PROOF_MALFORMED()
