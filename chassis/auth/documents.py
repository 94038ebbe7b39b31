"""Signed documents, e.g. receipts: a compact JWS over canonical JSON (RFC 7515, RFC 8785).

The same document gives the same bytes everywhere, so a copy that was parsed and written again can
still be compared with what was signed.
"""

from __future__ import annotations

import json
from typing import Any

import rfc8785
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from chassis.auth.keys import ALGORITHM
from chassis.auth.live import KeySource, key_of
from chassis.errors import Kind, declare

SIGNATURE_WRONG = declare(
    "SIGNATURE_WRONG",
    Kind.INVALID_ARGUMENT,
    "签名无效，或内容被改动过",
    "The signature is wrong, or the content was changed",
)


class DocumentSigner:
    """Signs documents of any kind with one key, or with the one that a file holds now."""

    def __init__(self, key: KeySource) -> None:
        self._key = key

    def sign_document(self, document: dict[str, Any], *, kind: str = "receipt") -> str:
        """Return the compact JWS. Raises ValueError for a float: its text differs between languages."""
        _refuse_floats(document)
        key = key_of(self._key)
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": _type(kind)}
        return jws.serialize_compact(header, rfc8785.dumps(document), key, [ALGORITHM])


def verify_document(signed: str, keys: KeySet, *, kind: str = "receipt") -> dict[str, Any]:
    """Return the document of a compact JWS of this kind. Raises SIGNATURE_WRONG for anything else."""
    try:
        found = jws.deserialize_compact(signed, keys, [ALGORITHM])
        document = json.loads(found.payload or b"")
    except (JoseError, ValueError, TypeError, KeyError) as problem:
        raise SIGNATURE_WRONG() from problem
    if found.headers().get("typ") != _type(kind) or not isinstance(document, dict):
        raise SIGNATURE_WRONG()
    return document


def _type(kind: str) -> str:
    return f"tongban-{kind}+jws"


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        message = "a signed document holds no floats; use integers or texts"
        raise ValueError(message)  # noqa: TRY004 - the value is wrong, whatever its type
    for part in (
        value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    ):
        _refuse_floats(part)
