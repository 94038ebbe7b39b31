"""How a person's name passes from the signing side to the maker and back inside a seal, unread by the database.

A letter is HPKE (RFC 9180: X25519, HKDF-SHA256, AES-128-GCM) to a key of the maker, which vouches for it with
its signature; what comes back is AES-256-GCM under the key that the letter brought. Both are bound to their ids.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from chassis.errors import Kind, declare

LETTER_UNREADABLE = declare(
    "SEAL_LETTER_UNREADABLE",
    Kind.INTERNAL,
    "印章 {about} 的个人信息无法解密",
    "The personal data of seal {about} cannot be read: another key, moved or altered",
)
_HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
_REPLY_KEY_BYTES, _NONCE_BYTES = 32, 12


@dataclass(frozen=True, slots=True)
class Particulars:
    """What is personal in an application: the name, an uploaded picture of it, and the key for the way back."""

    name: str = field(repr=False)
    picture: bytes = field(default=b"", repr=False)
    reply_key: bytes = field(default_factory=lambda: os.urandom(_REPLY_KEY_BYTES), repr=False)

    def dump(self) -> bytes:
        """Return the particulars as bytes."""
        values = {
            "name": self.name,
            "picture": base64.b64encode(self.picture).decode("ascii"),
            "reply_key": self.reply_key.hex(),
        }
        return json.dumps(values, ensure_ascii=False).encode()

    @staticmethod
    def load(data: bytes) -> Particulars:
        """Return what `dump` was given."""
        found = json.loads(data)
        picture = base64.b64decode(found["picture"])
        return Particulars(found["name"], picture, bytes.fromhex(found["reply_key"]))


def new_letter_key() -> tuple[bytes, bytes]:
    """Return a fresh (private, public) pair of 32 bytes each."""
    key = X25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def write_letter(public_key: bytes, application_id: str, particulars: Particulars) -> bytes:
    """Return what only the holder of the private half can read, for this application alone."""
    key = X25519PublicKey.from_public_bytes(public_key)
    return bytes(_HPKE.encrypt(particulars.dump(), key, _about(application_id)))


def open_letter(private_key: bytes, application_id: str, letter: bytes) -> Particulars:
    """Return what was written. Raises SEAL_LETTER_UNREADABLE."""
    key = X25519PrivateKey.from_private_bytes(private_key)
    try:
        return Particulars.load(_HPKE.decrypt(letter, key, _about(application_id)))
    except (InvalidTag, ValueError):
        raise LETTER_UNREADABLE(about=application_id) from None


def write_reply(reply_key: bytes, seal_id: str, data: bytes) -> bytes:
    """Return the data for the writer of the letter alone."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(reply_key).encrypt(nonce, data, _about(seal_id))


def open_reply(reply_key: bytes, seal_id: str, reply: bytes) -> bytes:
    """Return what was replied. Raises SEAL_LETTER_UNREADABLE."""
    try:
        return AESGCM(reply_key).decrypt(reply[:_NONCE_BYTES], reply[_NONCE_BYTES:], _about(seal_id))
    except (InvalidTag, ValueError):
        raise LETTER_UNREADABLE(about=seal_id) from None


def letter_key_statement(public_key: bytes) -> bytes:
    """Return what the maker signs to say that a letter key is its own."""
    return b"tongban seal letter key 1|" + public_key


def _about(each: str) -> bytes:
    return f"tongban seal letter 1|{each}".encode()
