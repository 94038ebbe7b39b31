"""What a time-stamping authority sends to have a key certified: the public half, and that it holds the other one."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass

from services.seal.domain.certificates import Profile
from services.seal.domain.pki import TIME_STAMPING
from services.seal.domain.suite import SigningKey, Suites

TIME_STAMPER = Profile(frozenset({"digital_signature"}), extended_usages=(TIME_STAMPING,))
"""The certificate of a time-stamping key: critical extended key usage with timeStamping alone (RFC 3161 2.3)."""
MAX_REQUEST_BYTES = 2_048
_KEY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class StampingRequest:
    """A key that is to be certified; possession was proved."""

    suite: str
    key_id: str
    public_key: bytes


def stamping_request(suite: str, key_id: str, key: SigningKey) -> bytes:
    """Return the request of a key."""
    proof = key.sign(_statement(suite, key_id, key.public_key))
    said = {"suite": suite, "key_id": key_id, "public_key": _text(key.public_key), "proof": _text(proof)}
    return json.dumps(said, indent=1).encode("ascii")


def read_stamping_request(data: bytes, suites: Suites) -> StampingRequest | None:
    """Return the request, None for one that is malformed or whose sender does not hold the private half."""
    if len(data) > MAX_REQUEST_BYTES:
        return None
    try:
        said = json.loads(data)
        suite, key_id = suites.by_name(said["suite"]), said["key_id"]
        public_key, proof = (base64.b64decode(said[name], validate=True) for name in ("public_key", "proof"))
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None
    if suite is None or not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        return None
    stated = _statement(suite.name, key_id, public_key)
    if not suite.accepts_key(public_key) or not suite.verify(public_key, proof, stated):
        return None
    return StampingRequest(suite.name, key_id, public_key)


def _statement(suite: str, key_id: str, public_key: bytes) -> bytes:
    return f"tongban time-stamping key request 1|{suite}|{key_id}|".encode() + public_key


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
