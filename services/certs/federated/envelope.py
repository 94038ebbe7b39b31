"""Messages as JWS (ES256 over RFC 8785 JSON) whose personal part is a JWE for the recipient."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, KeySetSerialization
from joserfc.jws import extract_compact

from chassis.auth import DocumentSigner, verify_document
from chassis.auth.documents import SIGNATURE_WRONG
from chassis.auth.live import KeySource
from chassis.auth.secrecy import CONTENT_UNREADABLE, open_sealed, seal_for
from chassis.errors import Fault
from services.certs.domain.federation import KIND, Message, PeerRegistry, claims_of, message_of

LARGEST_MESSAGE = 512 * 1024
"""Characters; a licence with the fullest face takes a tenth of it."""
_UNREADABLE = (JoseError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What libraries raise at headers and payloads that are JSON of any shape or depth."""


class JoseEnvelopes:
    """Signs, seals, verifies and opens; implements the port Envelopes."""

    def __init__(
        self, registry_key: KeySource, replica_key: KeySource | Callable[[], Sequence[ECKey]]
    ) -> None:
        self._signer, self._replica_key = DocumentSigner(registry_key), replica_key

    def sign(self, message: Message) -> str:
        """Return the signed message."""
        return self._signer.sign_document(claims_of(message), kind=KIND)

    def issuer_of(self, signed: str) -> str:
        """Return whom a message claims to be of; empty for what cannot be read."""
        claims = unverified(signed)
        issuer = claims.get("issuer")
        return issuer if isinstance(issuer, str) else ""

    def verify(self, signed: str, peer: PeerRegistry) -> Message:
        """Return what a peer signed with one of its keys. Raises SIGNATURE_WRONG, MESSAGE_MALFORMED."""
        keys = keys_of_jwks(peer.signing_keys)
        try:
            claims = verify_document(signed, keys, kind=KIND)
        except _UNREADABLE as problem:
            raise SIGNATURE_WRONG() from problem
        return message_of(claims)

    def seal(self, content: bytes, peer: PeerRegistry) -> str:
        """Return content that only the peer can open."""
        return seal_for(ECKey.import_key(dict(peer.replica_key)), content)

    def open(self, sealed: str) -> bytes:
        """Return content sealed for us, also for one of our former keys. Raises CONTENT_UNREADABLE."""
        given = self._replica_key() if callable(self._replica_key) else self._replica_key
        for key in [given] if isinstance(given, ECKey) else given:
            with suppress(Fault, *_UNREADABLE):
                return open_sealed(sealed, key)
        raise CONTENT_UNREADABLE()


def keys_of_jwks(jwks: Mapping[str, Any]) -> KeySet:
    """Return the keys of a JWKS. Raises SIGNATURE_WRONG for what is none."""
    try:
        return KeySet.import_key_set(cast("KeySetSerialization", dict(jwks)))
    except (JoseError, KeyError, TypeError, ValueError) as problem:
        raise SIGNATURE_WRONG() from problem


def unverified(signed: str) -> dict[str, Any]:
    """Return the claims of a compact JWS whose signature was not checked; empty for what is none."""
    if len(signed) > LARGEST_MESSAGE:
        return {}
    try:
        claims = json.loads(extract_compact(signed.encode()).payload or b"")
    except _UNREADABLE:
        return {}
    return claims if isinstance(claims, dict) else {}
