"""Encryption of single fields at rest, and blind indexes to find them again.

From each key of the keyring the service's own key is derived (HKDF-SHA256), so one service cannot
read another's columns. A ciphertext is ``version | suite | length of key id | key id | nonce (12) | ciphertext and tag``; the
header, the service and the field's name are authenticated, so a value moved to another column is
refused. Rotation: add a key, make it active, rewrap where ``needs_rewrap``, then remove the old one.
"""

from __future__ import annotations

import os
from enum import Enum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.errors import Kind, declare
from chassis.keyring import KEYRING_KEY_UNKNOWN, KEYRING_MALFORMED, Keyring

NONCE_BYTES = 12
TAG_BYTES = 16
INDEX_BYTES = 32
_VERSION = 1

FIELD_UNREADABLE = declare(
    "FIELD_UNREADABLE",
    Kind.INTERNAL,
    "加密字段 {field} 无法解密，内容或密钥不符",
    "Encrypted field {field} cannot be read: wrong key, moved or altered",
)


class Suite(Enum):
    """Cipher of a ciphertext; the value is its byte on disk and never changes its meaning."""

    SM4_GCM = 1
    AES_256_GCM = 2

    @property
    def key_bytes(self) -> int:
        """Length of the derived key."""
        return 16 if self is Suite.SM4_GCM else 32

    def cipher(self, key: bytes, nonce: bytes, tag: bytes | None = None) -> Cipher[modes.GCM]:
        """Return the cipher object; with a tag for decryption."""
        algorithm = algorithms.SM4(key) if self is Suite.SM4_GCM else algorithms.AES256(key)
        return Cipher(algorithm, modes.GCM(nonce, tag))


SUITES = {"sm4-gcm": Suite.SM4_GCM, "aes-256-gcm": Suite.AES_256_GCM}


class FieldCipher:
    """Encrypts and finds the fields of one service; derived keys are kept for the process's life."""

    def __init__(self, keyring: Keyring, *, service: str, suite: str = "sm4-gcm") -> None:
        if suite not in SUITES:
            raise KEYRING_MALFORMED(cause=f"unknown suite {suite}")
        self._keyring = keyring
        self._service = service
        self._suite = SUITES[suite]
        self._derived: dict[tuple[Suite, str], bytes] = {}
        self._index_keys: dict[str, bytes] = {}

    def encrypt(self, text: str, *, field: str) -> bytes:
        """Return the ciphertext of a field; equal texts give unequal ciphertexts."""
        return self.encrypt_bytes(text.encode(), field=field)

    def encrypt_bytes(self, data: bytes, *, field: str) -> bytes:
        """Return the ciphertext of bytes, e.g. of a document; equal ones give unequal ciphertexts."""
        key_id = self._keyring.active.encode()
        header = bytes([_VERSION, self._suite.value, len(key_id)]) + key_id
        nonce = os.urandom(NONCE_BYTES)
        encryptor = self._suite.cipher(self._key(self._suite, self._keyring.active), nonce).encryptor()
        encryptor.authenticate_additional_data(self._context(header, field))
        body = encryptor.update(data) + encryptor.finalize()
        return header + nonce + body + encryptor.tag

    def decrypt(self, data: bytes, *, field: str) -> str:
        """Return the text of a field.

        Raises KEYRING_KEY_UNKNOWN for a removed key, FIELD_UNREADABLE for anything altered or moved.
        """
        try:
            return self.decrypt_bytes(data, field=field).decode()
        except UnicodeDecodeError:
            raise FIELD_UNREADABLE(field=field) from None

    def decrypt_bytes(self, data: bytes, *, field: str) -> bytes:
        """Return what `encrypt_bytes` was given; raises as `decrypt` does."""
        suite, key_id, header = self._header(data, field)
        nonce_end = len(header) + NONCE_BYTES
        nonce, body, tag = data[len(header) : nonce_end], data[nonce_end:-TAG_BYTES], data[-TAG_BYTES:]
        decryptor = suite.cipher(self._key(suite, key_id), nonce, tag).decryptor()
        decryptor.authenticate_additional_data(self._context(header, field))
        try:
            return decryptor.update(body) + decryptor.finalize()
        except InvalidTag:
            raise FIELD_UNREADABLE(field=field) from None

    def needs_rewrap(self, data: bytes) -> bool:
        """Return whether a ciphertext is of another key or suite than new ones are."""
        suite, key_id, _ = self._header(data, "")
        return (suite, key_id) != (self._suite, self._keyring.active)

    def blind_index(self, text: str, *, field: str) -> bytes:
        """Return 32 bytes that are equal for equal texts of one field, and tell nothing without the key.

        The caller normalises (upper case, stripped) before. Changing the index key means indexing anew.
        """
        key = self._index_keys.get(field)
        if key is None:
            purpose = f"tongban index|{self._service}|{field}"
            key = self._index_keys[field] = _derive(self._keyring.index_key, purpose, 32)
        mac = HMAC(key, hashes.SHA256())
        mac.update(text.encode())
        return mac.finalize()[:INDEX_BYTES]

    def _header(self, data: bytes, field: str) -> tuple[Suite, str, bytes]:
        try:
            header = bytes(data[: 3 + data[2]])
            if data[0] != _VERSION or len(data) < len(header) + NONCE_BYTES + TAG_BYTES:
                raise FIELD_UNREADABLE(field=field)
            return Suite(data[1]), header[3:].decode("ascii"), header
        except (IndexError, ValueError):
            raise FIELD_UNREADABLE(field=field) from None

    def _key(self, suite: Suite, key_id: str) -> bytes:
        found = self._derived.get((suite, key_id))
        if found is None:
            master = self._keyring.keys.get(key_id)
            if master is None:
                raise KEYRING_KEY_UNKNOWN(key_id=key_id)
            purpose = f"tongban field|{suite.name}|{self._service}|{key_id}"
            found = self._derived[suite, key_id] = _derive(master, purpose, suite.key_bytes)
        return found

    def _context(self, header: bytes, field: str) -> bytes:
        return header + f"|{self._service}|{field}".encode()


def _derive(master: bytes, purpose: str, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt=None, info=purpose.encode()).derive(master)
