"""Encryption of single fields at rest, and blind indexes to find them again.

From each key of the keyring the service's own key is derived (HKDF-SHA256), so one service cannot
read another's columns. A ciphertext is ``version | suite | length of key id | key id | nonce (12) | ciphertext and tag``; the
header, the service and the field's name are authenticated, so a value moved to another column is
refused. Rotation: add a key, make it active, rewrap where ``needs_rewrap``, then remove the old one.
Over a `LiveKeyring` a running process notices the new key by itself. The index key has no versions:
changing it means indexing anew, see ``docs/decisions``.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.errors import Kind, declare
from chassis.keyring import KEYRING_KEY_UNKNOWN, KEYRING_MALFORMED, Keyring, LiveKeyring

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

ROW_ALTERED = declare(
    "ROW_ALTERED",
    Kind.INTERNAL,
    "{table} 中的一行与其完整性校验码不符",
    "A row of {table} does not match its integrity code: it was altered outside the service",
)


class Suite(Enum):
    """Cipher of a ciphertext; the value is its byte on disk and never changes its meaning."""

    SM4_GCM = 1
    AES_256_GCM = 2

    @property
    def key_bytes(self) -> int:
        """Length of the derived key."""
        return 16 if self is Suite.SM4_GCM else 32

    def algorithm(self, key: bytes) -> BlockCipherAlgorithm:
        """Return the block cipher under a key."""
        return algorithms.SM4(key) if self is Suite.SM4_GCM else algorithms.AES256(key)


SUITES = {"sm4-gcm": Suite.SM4_GCM, "aes-256-gcm": Suite.AES_256_GCM}


class _Reader(NamedTuple):
    """What opens the ciphertexts of one field under one header."""

    algorithm: BlockCipherAlgorithm
    context: bytes


class _Writer(NamedTuple):
    """What makes the ciphertexts of one field under the active key."""

    algorithm: BlockCipherAlgorithm
    header: bytes
    context: bytes


class FieldCipher:
    """Encrypts and finds the fields of one service; derived keys are kept as long as the keyring."""

    def __init__(self, keyring: Keyring | LiveKeyring, *, service: str, suite: str = "sm4-gcm") -> None:
        if suite not in SUITES:
            raise KEYRING_MALFORMED(cause=f"unknown suite {suite}")
        self._live = keyring if isinstance(keyring, LiveKeyring) else None
        self._keyring = keyring.current() if isinstance(keyring, LiveKeyring) else keyring
        self._service = service
        self._suite = SUITES[suite]
        self._derived: dict[tuple[Suite, str], bytes] = {}
        self._hmacs: dict[tuple[str, str], HMAC] = {}
        self._readers: dict[tuple[bytes, str], _Reader] = {}
        self._writers: dict[str, _Writer] = {}

    @property
    def keyring(self) -> Keyring:
        """The keyring as it is now."""
        if self._live is not None:
            self._take(self._live.current())
        return self._keyring

    @property
    def header(self) -> bytes:
        """What every new ciphertext begins with: another beginning asks for a rewrap."""
        return self._header_of(self.keyring.active)

    def encrypt(self, text: str, *, field: str) -> bytes:
        """Return the ciphertext of a field; equal texts give unequal ciphertexts."""
        return self.encrypt_bytes(text.encode(), field=field)

    def encrypt_bytes(self, data: bytes, *, field: str) -> bytes:
        """Return the ciphertext of bytes, e.g. of a document; equal ones give unequal ciphertexts."""
        return self.encrypt_many((data,), field=field)[0]

    def encrypt_many(self, values: Iterable[bytes], *, field: str) -> list[bytes]:
        """Return the ciphertexts of many values of one field; the keyring is looked at once for all."""
        self.keyring  # noqa: B018 - forgets what another keyring derived
        algorithm, header, context = self._writers.get(field) or self._writer(field)
        found = []
        for data in values:
            nonce = os.urandom(NONCE_BYTES)
            encryptor = Cipher(algorithm, modes.GCM(nonce)).encryptor()
            encryptor.authenticate_additional_data(context)
            found.append(
                b"".join((header, nonce, encryptor.update(data), encryptor.finalize(), encryptor.tag))
            )
        return found

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
        return self.decrypt_many((data,), field=field)[0]

    def decrypt_many(self, values: Iterable[bytes], *, field: str) -> list[bytes]:
        """Return what `encrypt_many` was given; the keyring is looked at once for all. Raises as `decrypt` does."""
        self.keyring  # noqa: B018 - forgets what another keyring derived
        found = []
        for data in values:
            length = 3 + data[2] if len(data) > 2 else 0
            reader = self._readers.get((data[:length], field))
            if reader is None or len(data) < length + NONCE_BYTES + TAG_BYTES:
                reader = self._reader(data, field)
            nonce_end = length + NONCE_BYTES
            mode = modes.GCM(data[length:nonce_end], data[-TAG_BYTES:])
            decryptor = Cipher(reader.algorithm, mode).decryptor()
            decryptor.authenticate_additional_data(reader.context)
            try:
                found.append(decryptor.update(data[nonce_end:-TAG_BYTES]) + decryptor.finalize())
            except InvalidTag:
                raise FIELD_UNREADABLE(field=field) from None
        return found

    def needs_rewrap(self, data: bytes) -> bool:
        """Return whether a ciphertext is of another key or suite than new ones are."""
        suite, key_id, _ = self._header(data, "")
        return (suite, key_id) != (self._suite, self.keyring.active)

    def key_id_of(self, data: bytes) -> str:
        """Return which key a ciphertext, or its first bytes, is under. Raises FIELD_UNREADABLE."""
        return self._header(data + bytes(NONCE_BYTES + TAG_BYTES), "")[1]

    def blind_index(self, text: str, *, field: str) -> bytes:
        """Return 32 bytes that are equal for equal texts of one field, and tell nothing without the key.

        The caller normalises (upper case, stripped) before. Changing the index key means indexing anew.
        """
        return self.blind_indexes((text.encode(),), field=field)[0]

    def blind_indexes(self, texts: Iterable[bytes], *, field: str) -> list[bytes]:
        """Return the blind index of each of many texts of one field, given in UTF-8."""
        mac_of = self._mac_of("index", field)
        return [mac_of(text)[:INDEX_BYTES] for text in texts]

    def row_mac(self, *values: object, field: str) -> bytes:
        """Return the keyed MAC of a row's values, by which an altered row is known when it is read.

        Values are told apart by position, ``None`` from the empty text; each must have one text for ever.
        """
        return self.row_macs(field=field)(b"".join(map(row_part, values)))

    def row_macs(self, *, field: str) -> Callable[[bytes], bytes]:
        """Return what makes the ``row_mac`` of one row after the other, of their joined parts (`row_part`)."""
        return self._mac_of("row", field)

    def check_row(self, mac: bytes | None, *values: object, field: str) -> None:
        """Return if the values are those that ``row_mac`` was given. Raises ROW_ALTERED.

        None, a row of a release that wrote no MAC yet, is an altered one too as soon as the keyring says
        that all rows were given theirs (``tongban keys rewrap --what rows``).
        """
        if mac is None:
            if self.keyring.row_codes_since is not None:
                raise ROW_ALTERED(table=field)
        elif not hmac.compare_digest(mac, self.row_mac(*values, field=field)):
            raise ROW_ALTERED(table=field)

    def _mac_of(self, purpose: str, field: str) -> Callable[[bytes], bytes]:
        """Return what makes the keyed MAC of data for a purpose and field; as of now, so for one set of rows."""
        self.keyring  # noqa: B018 - forgets what another keyring derived
        keyed = self._hmacs.get((purpose, field))
        if keyed is None:
            name = f"tongban {purpose}|{self._service}|{field}"
            keyed = HMAC(_derive(self._keyring.index_key, name, 32), hashes.SHA256())
            self._hmacs[purpose, field] = keyed
        begun = keyed.copy

        def mac_of(data: bytes) -> bytes:
            mac = begun()
            mac.update(data)
            return mac.finalize()

        return mac_of

    def _take(self, keyring: Keyring) -> None:
        """Forget keys that were derived from another keyring."""
        if keyring is not self._keyring:
            self._keyring, self._derived, self._hmacs = keyring, {}, {}
            self._readers, self._writers = {}, {}

    def _header_of(self, key_id: str) -> bytes:
        return bytes([_VERSION, self._suite.value, len(key_id)]) + key_id.encode()

    def _header(self, data: bytes, field: str) -> tuple[Suite, str, bytes]:
        try:
            header = bytes(data[: 3 + data[2]])
            if data[0] != _VERSION or len(data) < len(header) + NONCE_BYTES + TAG_BYTES:
                raise FIELD_UNREADABLE(field=field)
            return Suite(data[1]), header[3:].decode("ascii"), header
        except (IndexError, ValueError):
            raise FIELD_UNREADABLE(field=field) from None

    def _reader(self, data: bytes, field: str) -> _Reader:
        """Return what opens every ciphertext of a field with the header of this one; kept as long as the keyring."""
        suite, key_id, header = self._header(data, field)
        made = _Reader(suite.algorithm(self._key(suite, key_id)), self._context(header, field))
        self._readers[header, field] = made
        return made

    def _writer(self, field: str) -> _Writer:
        """Return what makes new ciphertexts of a field; kept as long as the keyring."""
        writers = self._writers  # before the keyring: beside a newer one, what is made here is kept nowhere
        active = self._keyring.active
        header = self._header_of(active)
        key = self._suite.algorithm(self._key(self._suite, active))
        made = writers[field] = _Writer(key, header, self._context(header, field))
        return made

    def _key(self, suite: Suite, key_id: str) -> bytes:
        found = self._derived.get((suite, key_id))
        if found is None:
            master = self.keyring.keys.get(key_id)
            if master is None and self._live is not None:  # another process saw the new keyring first
                self._take(self._live.look())
                master = self._keyring.keys.get(key_id)
            if master is None:
                raise KEYRING_KEY_UNKNOWN(key_id=key_id)
            purpose = f"tongban field|{suite.name}|{self._service}|{key_id}"
            found = self._derived[suite, key_id] = _derive(master, purpose, suite.key_bytes)
        return found

    def _context(self, header: bytes, field: str) -> bytes:
        return header + f"|{self._service}|{field}".encode()


def row_part(value: object) -> bytes:
    """Return a value as the MAC of its row covers it: with its length, ``None`` unlike the empty text."""
    part = b"\0" if value is None else b"\1" + str(value).encode()
    return len(part).to_bytes(4) + part


def _derive(master: bytes, purpose: str, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt=None, info=purpose.encode()).derive(master)
