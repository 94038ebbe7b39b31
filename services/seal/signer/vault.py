"""What opens private keys: the port of a vault, and the one of software."""

from __future__ import annotations

from typing import Protocol

from chassis.errors import Kind, declare
from services.seal.domain.suite import SigningKey, Suite, Suites
from services.seal.keystore import SoftwareKeystore
from services.seal.signer.open_keys import OpenKeys
from services.seal.usecases.ports import NewKey

SUITE_UNKNOWN = declare(
    "SIGNER_SUITE_UNKNOWN", Kind.INVALID_ARGUMENT, "未知的算法套件 {suite}", "Unknown suite {suite}"
)


class Vault(Protocol):
    """Makes, opens and re-encrypts private keys; safe to call from several threads.

    A wrapped key names its kind in its first byte and is bound to its id. Raises KEYSTORE_UNREADABLE for a key that
    it does not open, SIGNER_UNAVAILABLE when it cannot work now, SIGNER_SUITE_UNKNOWN.
    """

    kind: str

    def generate(self, suite: str, key_id: str, *, lasting: bool = True) -> NewKey:
        """Return a fresh key pair; one that is not ``lasting`` need not outlive this process."""
        ...

    def sign(self, suite: str, key_id: str, wrapped_key: bytes, message: bytes) -> bytes:
        """Return a strict DER SEQUENCE{r, s} over the message."""
        ...

    def is_newest(self, key_id: str, wrapped_key: bytes) -> bool:
        """Say whether a key is under the newest secret or token key."""
        ...

    def rewrap(self, key_id: str, wrapped_key: bytes) -> bytes:
        """Return the key under the newest secret or token key, unchanged where it is."""
        ...

    def check(self) -> None:
        """Return if it could sign now. Raises SIGNER_UNAVAILABLE, KEYSTORE_SECRET_SHORT."""
        ...

    def sweep(self) -> None:
        """Let go of keys that nobody used for some seconds."""
        ...


class SoftwareVault:
    """Keys encrypted under a secret (`SoftwareKeystore`), opened by the suites' libraries."""

    kind = "software"

    def __init__(self, suites: Suites, keystore: SoftwareKeystore, opened: OpenKeys | None = None) -> None:
        self._suites, self._keystore = suites, keystore
        self._opened = OpenKeys() if opened is None else opened

    def generate(self, suite: str, key_id: str, *, lasting: bool = True) -> NewKey:
        """Return a fresh key pair."""
        del lasting  # nothing of it is kept here
        chosen = suite_of(self._suites, suite)
        private_key = chosen.generate_key()
        return NewKey(chosen.open_key(private_key).public_key, self._keystore.wrap(key_id, private_key))

    def sign(self, suite: str, key_id: str, wrapped_key: bytes, message: bytes) -> bytes:
        """Return the signature. Raises KEYSTORE_UNREADABLE, SEAL_KEY_REFUSED for a key of another suite."""
        chosen = suite_of(self._suites, suite)

        def open_key() -> SigningKey:
            with self._keystore.opened(key_id, wrapped_key) as private_key:
                return chosen.open_key(private_key)

        return self._opened.take(suite, key_id, wrapped_key, open_key).sign(message)

    def is_newest(self, key_id: str, wrapped_key: bytes) -> bool:
        """Say whether a key is under the first of the secrets."""
        return self._keystore.is_newest(key_id, wrapped_key)

    def rewrap(self, key_id: str, wrapped_key: bytes) -> bytes:
        """Return the key under the first of the secrets, unchanged where it is. Raises KEYSTORE_UNREADABLE."""
        return self._keystore.rewrap(key_id, wrapped_key)

    def check(self) -> None:
        """Return if the secret is readable. Raises KEYSTORE_SECRET_SHORT, SETTINGS_INCOMPLETE."""
        self._keystore.check()

    def sweep(self) -> None:
        """Let go of keys that nobody used for some seconds."""
        self._opened.sweep()


def suite_of(suites: Suites, name: str) -> Suite:
    """Return the suite of a name. Raises SIGNER_SUITE_UNKNOWN."""
    found = suites.by_name(name)
    if found is None:
        raise SUITE_UNKNOWN(suite=name)
    return found
