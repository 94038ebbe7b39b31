"""The software keystore: private keys encrypted at rest with AES-256-GCM, each bound to its id.

The key-encryption key is derived (HKDF-SHA256) from a secret that only one side has: the signer has its
own, the maker's job another one. A wrapped key is ``version | nonce (12) | ciphertext and tag``. While the secret
is being rotated it is several lines: the first wraps, each unwraps.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.errors import Kind, declare
from services.seal.domain.letters import new_letter_key
from services.seal.domain.pki import CompanionPki, Credential, DevelopmentPki, make_companion_pki
from services.seal.domain.suite import Suite
from services.seal.usecases.signing import KEYSTORE_UNREADABLE
from services.seal.usecases.workshop import Letters

LEAST_SECRET_CHARACTERS = 32
_VERSION, _NONCE_BYTES, _TAG_BYTES = b"\x01", 12, 16
_ROLES = ("root", "maker_ca", "signer_ca", "maker", "status")

KEYSTORE_SECRET_SHORT = declare(
    "KEYSTORE_SECRET_SHORT",
    Kind.FAILED_PRECONDITION,
    "密钥库口令不足 {limit} 个字符",
    "The keystore secret has fewer than {limit} characters",
)
KEYSTORE_INCOMPLETE = declare(
    "KEYSTORE_INCOMPLETE",
    Kind.FAILED_PRECONDITION,
    "制章密钥库缺少 {file}",
    "The maker's keystore lacks {file}",
)


class SoftwareKeystore:
    """Wraps private keys under one secret.

    Told where to ``ask``, it takes the secret again for a key that does not open: a rotation needs no restart.
    """

    def __init__(self, secret: str, *, purpose: str, ask: Callable[[], str] | None = None) -> None:
        """Take the secret. Raises KEYSTORE_SECRET_SHORT."""
        self._info = f"tongban keystore 1|{purpose}".encode()
        self._ask, self._secret = ask, secret.strip()
        self._ciphers = self._derive(secret)

    def wrap(self, key_id: str, private_key: bytes | bytearray) -> bytes:
        """Return the encrypted key, bound to its id."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._ciphers[0].encrypt(nonce, private_key, key_id.encode())

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """Return the private key. Raises KEYSTORE_UNREADABLE for another secret, id or content."""
        with self.opened(key_id, wrapped) as private_key:
            return bytes(private_key)

    @contextlib.contextmanager
    def opened(self, key_id: str, wrapped: bytes) -> Iterator[bytearray]:
        """Give the private key for the length of the block; the buffer is wiped at its end.

        Raises KEYSTORE_UNREADABLE for another secret, id or content.
        """
        found = self._opened(key_id, wrapped, self._ciphers)
        if found is None and self._asked_anew():
            found = self._opened(key_id, wrapped, self._ciphers)
        if found is None:
            raise KEYSTORE_UNREADABLE(key_id=key_id)
        try:
            yield found
        finally:
            found[:] = bytes(len(found))

    def rewrap(self, key_id: str, wrapped: bytes) -> bytes:
        """Return the key under the first of the secrets, unchanged where it is. Raises KEYSTORE_UNREADABLE."""
        if self.is_newest(key_id, wrapped):
            return wrapped
        with self.opened(key_id, wrapped) as private_key:
            return self.wrap(key_id, private_key)

    def is_newest(self, key_id: str, wrapped: bytes) -> bool:
        """Say whether a key is wrapped under the first of the secrets, as they are set now."""
        self._asked_anew()
        return self._opened(key_id, wrapped, self._ciphers[:1]) is not None

    def check(self) -> None:
        """Return if the secret can be read and is one. Raises KEYSTORE_SECRET_SHORT and what asking for it raises."""
        self._asked_anew()

    def _opened(self, key_id: str, wrapped: bytes, ciphers: Sequence[AESGCM]) -> bytearray | None:
        nonce, body = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        if wrapped[:1] != _VERSION or len(body) < _TAG_BYTES:
            return None
        for cipher in ciphers:
            private_key = bytearray(len(body) - _TAG_BYTES)
            with contextlib.suppress(InvalidTag):
                cipher.decrypt_into(nonce, body, key_id.encode(), private_key)
                return private_key
        return None

    def _asked_anew(self) -> bool:
        """Take the secret again; say whether it is another one."""
        secret = (self._ask() if self._ask else self._secret).strip()
        if secret == self._secret:
            return False
        self._ciphers, self._secret = self._derive(secret), secret
        return True

    def _derive(self, secret: str) -> list[AESGCM]:
        lines = [line for line in secret.splitlines() if line]
        if not lines or any(len(line) < LEAST_SECRET_CHARACTERS for line in lines):
            raise KEYSTORE_SECRET_SHORT(limit=LEAST_SECRET_CHARACTERS)
        return [
            AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=self._info).derive(line.encode()))
            for line in lines
        ]


class MakerKeystore:
    """The maker's credentials in a directory of its own: ``<role>.der`` and ``<role>.key``, wrapped.

    The first five are made together; a keystore of an earlier release gets the others when they are first asked for.
    """

    def __init__(self, directory: Path, keystore: SoftwareKeystore) -> None:
        self._directory = directory
        self._keystore = keystore

    def exists(self) -> bool:
        """Say whether the credentials were made."""
        return self._directory.is_dir()

    def load(self) -> DevelopmentPki:
        """Return the credentials. Raises KEYSTORE_INCOMPLETE, KEYSTORE_UNREADABLE."""
        found = {role: self._credential(role) for role in _ROLES}
        return DevelopmentPki(**found, signers={}, crls=())

    def keep(self, pki: DevelopmentPki) -> None:
        """Have the credentials on disk, all or none, readable by their owner only."""
        self._directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=self._directory.parent, prefix=".fresh-"))
        try:
            for role in _ROLES:
                credential: Credential = getattr(pki, role)
                _write(fresh / f"{role}.der", credential.certificate)
                _write(fresh / f"{role}.key", self._keystore.wrap(role, credential.private_key))
            fresh.rename(self._directory)
        except BaseException:
            with contextlib.suppress(OSError):
                shutil.rmtree(fresh)
            raise

    def companion(self, suite: Suite, now: datetime) -> CompanionPki:
        """Return the PKI of the second suite, made on the first use. Raises as `load` does."""
        if not (self._directory / "p256_signer_ca.der").is_file():
            made = make_companion_pki(suite, now)
            self._add("p256_root", made.root)
            self._add("p256_signer_ca", made.signer_ca)  # last: both are there, or both are made anew
        return CompanionPki(self._credential("p256_root"), self._credential("p256_signer_ca"))

    def letters(self) -> Letters:
        """Return the key for letters from the signing side, made on the first use. Raises as `load` does."""
        if not (self._directory / "letters.der").is_file():
            private_key, public_key = new_letter_key()
            self._add("letters", Credential(public_key, private_key))
        found = self._credential("letters")
        return Letters(found.certificate, found.private_key)

    def _add(self, role: str, credential: Credential) -> None:
        """Have a credential beside the others, its key first."""
        for name, data in (
            (f"{role}.key", self._keystore.wrap(role, credential.private_key)),
            (f"{role}.der", credential.certificate),
        ):
            fresh = self._directory / f".fresh-{name}"
            _write(fresh, data)
            fresh.replace(self._directory / name)

    def _credential(self, role: str) -> Credential:
        try:
            certificate = (self._directory / f"{role}.der").read_bytes()
            wrapped = (self._directory / f"{role}.key").read_bytes()
        except OSError as problem:
            raise KEYSTORE_INCOMPLETE(file=role) from problem
        return Credential(certificate, self._keystore.unwrap(role, wrapped))


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
