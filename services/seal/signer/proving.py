"""The vault's own part of the self-test: a key makes the whole way, or nothing is served."""

from __future__ import annotations

from collections.abc import Iterator

from chassis.errors import Fault
from chassis.event import new_event_id
from services.seal.domain.suite import Suites
from services.seal.providers.libcrypto import CRYPTOGRAPHY_UNSOUND
from services.seal.signer.vault import Vault, suite_of
from services.seal.usecases.signing import KEYSTORE_UNREADABLE

SUITES = ("SM2-SM3", "ECDSA-P256-SHA256")
_MESSAGE = b"tongban signer self-test"


def prove_vault(vault: Vault, suites: Suites) -> None:
    """Have a fresh key of each suite made, used, re-encrypted and used again; nothing of it stays.

    Raises:
        SEAL_CRYPTOGRAPHY_UNSOUND: Names the step that failed.
        SIGNER_UNAVAILABLE: The vault cannot work now.
    """
    for name in SUITES:
        for step, good in _steps(vault, suites, name):
            if not good:
                raise CRYPTOGRAPHY_UNSOUND(step=f"{vault.kind} vault, {name}: {step}")


def _steps(vault: Vault, suites: Suites, name: str) -> Iterator[tuple[str, bool]]:
    suite, key_id = suite_of(suites, name), f"self-test-{new_event_id()}"
    made = vault.generate(name, key_id, lasting=False)
    yield "public key", suite.accepts_key(made.public_key)
    signature = vault.sign(name, key_id, made.wrapped_key, _MESSAGE)
    yield "signature", suite.verify(made.public_key, signature, _MESSAGE)
    yield "other message", not suite.verify(made.public_key, signature, _MESSAGE + b".")
    yield "bound to its id", _refuses(vault, name, f"{key_id}-other", made.wrapped_key)
    again = vault.rewrap(key_id, made.wrapped_key)
    yield "newest after encrypting anew", vault.is_newest(key_id, again)
    signature = vault.sign(name, key_id, again, _MESSAGE)
    yield "signature after encrypting anew", suite.verify(made.public_key, signature, _MESSAGE)


def _refuses(vault: Vault, suite: str, key_id: str, wrapped_key: bytes) -> bool:
    try:
        vault.sign(suite, key_id, wrapped_key, _MESSAGE)
    except Fault as fault:
        return fault.code == KEYSTORE_UNREADABLE.code
    return False
