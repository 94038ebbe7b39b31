"""Signs what leaves the registry as a statement of its own, and reads what intake signed.

The key may be replaced while the process runs: statements name it by its id, and those of earlier keys
go on being read as long as the key set has them and does not call them retired.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from chassis.auth import DocumentSigner, public_keys, verify_document
from chassis.auth.documents import SIGNATURE_WRONG
from chassis.auth.live import KeySource, KeysSource, key_of, keys_of, retired
from services.certs.domain.presentation import KIND
from services.certs.domain.use_code.entrustment import STATEMENT_KIND


class JwsSigner:
    """Signs and reads summaries, answers and offline statements; implements the port SummarySigner.

    ``published`` holds the public keys of earlier signing keys; without it the own key is the only one.
    """

    def __init__(self, key: KeySource, published: KeysSource | None = None) -> None:
        self._key, self._published = key, published
        self._signer = DocumentSigner(key)

    @property
    def jwks_json(self) -> str:
        """The public key set (RFC 7517) that verifies without the network, earlier keys among them."""
        return json.dumps(self._keys().as_dict(private=False), sort_keys=True)

    def sign(self, claims: dict[str, Any], kind: str = KIND) -> str:
        """Return the compact JWS of a statement; its header names the key."""
        return self._signer.sign_document(claims, kind=kind)

    def read(self, jws: str, kind: str = KIND) -> dict[str, Any]:
        """Return the claims of a statement signed here. Raises SIGNATURE_WRONG."""
        return read_signed(jws, self._keys(), kind)

    def _keys(self) -> KeySet:
        return public_keys([key_of(self._key)]) if self._published is None else keys_of(self._published)


class IntakeStatements:
    """Reads what intake signed with the key of its tokens; implements the port EntrustmentReader."""

    def __init__(self, keys: KeysSource) -> None:
        self._keys = keys

    def read(self, statement: str) -> dict[str, Any]:
        """Return the claims of an entrustment. Raises SIGNATURE_WRONG."""
        return read_signed(statement, keys_of(self._keys), STATEMENT_KIND)


def read_signed(jws: str, keys: KeySet, kind: str, now: Callable[[], float] = time.time) -> dict[str, Any]:
    """Return the claims of a JWS of a kind by a key that is not retired. Raises SIGNATURE_WRONG."""
    claims = verify_document(jws, keys, kind=kind)
    try:
        named = extract_compact(jws.encode()).headers().get("kid")
    except (JoseError, ValueError) as problem:
        raise SIGNATURE_WRONG() from problem
    if retired(keys, named, now()):
        raise SIGNATURE_WRONG()
    return claims
