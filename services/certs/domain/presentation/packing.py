"""The text of an offline QR code: statement and log proof in as few signs as a phone still reads from a screen.

``TB2.`` and Base45 over: the 64 bytes of the JWS signature; the length (two bytes) of what follows deflated
(RFC 1951, with `DICTIONARY`), which is header, claims and leaf, each after its length (two bytes); the
compact proof. Leaf and proof are empty for what the log has not taken yet. Everything is signed: header and
claims by the signature, leaf and proof by the digest that the claims name.
"""

from __future__ import annotations

import base64
import binascii
import zlib

from chassis.base45 import decode, encode
from services.certs.domain.presentation.offline import LogEvidence
from services.certs.domain.presentation.online import PRESENTATION_MALFORMED

OFFLINE_PREFIX = "TB2."
SIGNATURE_BYTES = 64
"""ES256 (RFC 7518, 3.4)."""
LARGEST_TEXT = 4_096
"""What the doors take; a QR code of version 40 holds 4,296 signs of Base45 at level L (ISO/IEC 18004)."""
LARGEST_CONTENT = 8_192
_LENGTH_BYTES = 2
_PARTS = 3
_RAW = -15
DICTIONARY = (
    b'{"alg":"ES256","kid":"","typ":"tongban-licence-statement+jws"}'
    b'{"exp":17,"hn":"**","iat":17,"id":"1.2.156.3005.2.11100000MB.","is":"\xe5\xb8\x82\xe5\x8e\xbf\xe5\x8c\xba'
    b"\xe5\xb8\x82\xe5\x9c\xba\xe7\x9b\x91\xe7\x9d\xa3\xe7\xae\xa1\xe7\x90\x86\xe5\xb1\x80\xe8\xa1\x8c\xe6\x94"
    b'\xbf\xe5\xae\xa1\xe6\x89\xb9\xe5\xb1\x80","jti":"","lg":"","lid":"019","st":"valid","tc":"11100000MB",'
    b'"tn":"\xe7\xbb\x8f\xe8\x90\xa5\xe8\xae\xb8\xe5\x8f\xaf\xe8\xaf\x81","v":1,"vu":"20-"}'
    b'{"at":"202-0T:00.000000Z","facts":{"act":"make","content":"","document":"","effective_at":"","signature_id":"",'
    b'"status":"valid","version":},"form":1,"kind":"licence","licence_id":"'
)
"""Part of the form: texts of another dictionary are another form, and get another prefix."""


def qr_text_of(jws: str, evidence: LogEvidence | None = None) -> str:
    """Return what the QR code shows. Raises ValueError for what is no ES256 JWS or fits no QR code."""
    header, claims, signature = (_decoded(part) for part in jws.split("."))
    parts = (header, claims, evidence.leaf if evidence else b"")
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    plain = b"".join(len(part).to_bytes(_LENGTH_BYTES) + part for part in parts)
    packed = packer.compress(plain) + packer.flush()
    proof = evidence.proof if evidence else b""
    content = signature + len(packed).to_bytes(_LENGTH_BYTES) + packed + proof
    text = OFFLINE_PREFIX + encode(content)
    if len(signature) != SIGNATURE_BYTES or len(plain) > LARGEST_CONTENT or len(text) > LARGEST_TEXT:
        message = "what is stated fits no QR code"
        raise ValueError(message)
    return text


def offline_parts_of(qr_text: str) -> tuple[str, LogEvidence | None]:
    """Return the JWS and the log evidence of a QR text, unverified. Raises PRESENTATION_MALFORMED."""
    if not qr_text.startswith(OFFLINE_PREFIX) or len(qr_text) > LARGEST_TEXT:
        raise PRESENTATION_MALFORMED()
    try:
        content = decode(qr_text.removeprefix(OFFLINE_PREFIX))
        signature, rest = content[:SIGNATURE_BYTES], content[SIGNATURE_BYTES:]
        packed, proof = _cut(rest)
        header, claims, leaf = _plain(packed)
    except (ValueError, zlib.error) as problem:
        raise PRESENTATION_MALFORMED() from problem
    if bool(leaf) != bool(proof) or len(signature) != SIGNATURE_BYTES:
        raise PRESENTATION_MALFORMED()
    jws = b".".join(base64.urlsafe_b64encode(each).rstrip(b"=") for each in (header, claims, signature))
    return jws.decode(), LogEvidence(leaf, proof) if leaf else None


def _plain(packed: bytes) -> list[bytes]:
    unpacker = zlib.decompressobj(_RAW, DICTIONARY)
    rest = unpacker.decompress(packed, LARGEST_CONTENT)
    if not unpacker.eof or unpacker.unused_data:
        message = "broken off, or more than there should be"
        raise ValueError(message)
    parts = []
    for _ in range(_PARTS):
        part, rest = _cut(rest)
        parts.append(part)
    if rest:
        message = "more parts than there should be"
        raise ValueError(message)
    return parts


def _cut(content: bytes) -> tuple[bytes, bytes]:
    """Return what its length announces, and the rest."""
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES])
    if len(content) < max(end, _LENGTH_BYTES):
        message = "shorter than it says"
        raise ValueError(message)
    return content[_LENGTH_BYTES:end], content[end:]


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as problem:
        message = "not a compact JWS"
        raise ValueError(message) from problem
