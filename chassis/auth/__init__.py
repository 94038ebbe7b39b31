"""Who acts, proved: bearer tokens of persons, assertions of terminals, signed documents.

All signatures here are ES256 (ECDSA P-256, RFC 7518 3.4) with an explicit ``typ``, so that nothing
signed for one purpose passes for another (RFC 8725 3.11).
"""

from __future__ import annotations

from chassis.auth.assertions import (
    TerminalAssertion,
    binding_of,
    claimed_terminal,
    sign_assertion,
    verify_assertion,
)
from chassis.auth.documents import DocumentSigner, verify_document
from chassis.auth.keys import new_signing_key, public_keys, read_jwks, signing_key_from_pem, write_jwks
from chassis.auth.live import (
    KeySource,
    KeysSource,
    PublishedKeys,
    SigningKeyFile,
    keys_of,
    publish_key,
)
from chassis.auth.person import ActingPerson
from chassis.auth.tokens import TokenSigner, TokenVerifier

__all__ = [
    "ActingPerson",
    "DocumentSigner",
    "KeySource",
    "KeysSource",
    "PublishedKeys",
    "SigningKeyFile",
    "TerminalAssertion",
    "TokenSigner",
    "TokenVerifier",
    "binding_of",
    "claimed_terminal",
    "keys_of",
    "new_signing_key",
    "public_keys",
    "publish_key",
    "read_jwks",
    "sign_assertion",
    "signing_key_from_pem",
    "verify_assertion",
    "verify_document",
    "write_jwks",
]
