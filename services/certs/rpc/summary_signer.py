"""Signs presentation summaries with the registry's ES256 key and publishes its public half."""

from __future__ import annotations

import json
from typing import Any

from joserfc.jwk import ECKey

from chassis.auth import DocumentSigner, public_keys, verify_document
from services.certs.domain.presentation import KIND


class JwsSigner:
    """Signs and reads summaries; implements the port SummarySigner."""

    def __init__(self, key: ECKey) -> None:
        self._signer = DocumentSigner(key)
        self._public = public_keys([key])

    @property
    def jwks_json(self) -> str:
        """The public key set (RFC 7517) that verifies summaries without the network."""
        return json.dumps(self._public.as_dict(private=False), sort_keys=True)

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the compact JWS of a summary."""
        return self._signer.sign_document(claims, kind=KIND)

    def read(self, jws: str) -> dict[str, Any]:
        """Return the claims of a summary signed here. Raises SIGNATURE_WRONG."""
        return verify_document(jws, self._public, kind=KIND)
