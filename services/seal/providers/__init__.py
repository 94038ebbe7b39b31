"""Cryptography by real libraries behind the `Suite` port; nothing here is loaded before it is asked for."""

from __future__ import annotations

from services.seal.domain.suite import Suites
from services.seal.providers.ecdsa import EcdsaSuite
from services.seal.providers.libcrypto import Library
from services.seal.providers.selftest import self_test, self_test_ecdsa
from services.seal.providers.sm2 import Sm2Suite


def load_suites() -> Suites:
    """Return the suites after their known-answer tests.

    Raises:
        SEAL_CRYPTOGRAPHY_UNSOUND: A test failed: neither signing nor verifying may start.
    """
    suite, second = Sm2Suite(Library()), EcdsaSuite()
    self_test(suite)
    self_test_ecdsa(second)
    return Suites([suite, second])
