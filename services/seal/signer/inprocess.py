"""The port Signer without a process of its own: for jobs that work offline and for tests."""

from __future__ import annotations

from services.seal.signer.vault import Vault
from services.seal.usecases.ports import NewKey


class LocalSigner:
    """Implements the ports Signer and Rewrapping over a vault in this very process."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def generate(self, suite: str, key_id: str) -> NewKey:
        """Return a fresh key pair, its private half bound to the id."""
        return self._vault.generate(suite, key_id)

    def open(self, suite: str, key_id: str, wrapped_key: bytes, public_key: bytes) -> _LocalKey:
        """Return the key for use; it is opened when it signs."""
        return _LocalKey(self._vault, suite, key_id, wrapped_key, public_key)

    def rewrap(self, key_id: str, wrapped_key: bytes) -> bytes:
        """Return the key under the newest secret, unchanged where it is. Raises KEYSTORE_UNREADABLE."""
        return self._vault.rewrap(key_id, wrapped_key)


class _LocalKey:
    def __init__(self, vault: Vault, suite: str, key_id: str, wrapped_key: bytes, public_key: bytes) -> None:
        self._vault, self._said = vault, (suite, key_id, wrapped_key)
        self.public_key = public_key

    def sign(self, message: bytes) -> bytes:
        """Return the DER signature over the message."""
        return self._vault.sign(*self._said, message)
