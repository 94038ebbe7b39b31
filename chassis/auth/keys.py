"""Signing keys and the public key sets others verify with (JWK, RFC 7517)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, KeySetSerialization

ALGORITHM = "ES256"
_CURVE = "P-256"


def new_signing_key() -> ECKey:
    """Return a fresh P-256 key; its ``kid`` is the RFC 7638 thumbprint."""
    return ECKey.generate_key(_CURVE, auto_kid=True)


def signing_key_from_pem(pem: bytes) -> ECKey:
    """Return the private key of a PEM text. Raises ValueError unless it is a P-256 private key."""
    key = ECKey.import_key(pem)
    if key.curve_name != _CURVE or not key.is_private:
        message = "not a P-256 private key"
        raise ValueError(message)
    key.ensure_kid()
    return key


_END_OF_KEY = b"-----END PRIVATE KEY-----"


def signing_keys_from_pem(pem: bytes) -> list[ECKey]:
    """Return the private keys of a PEM text in their order. Raises ValueError unless each is a P-256 private key."""
    blocks = [each.strip() for each in pem.split(_END_OF_KEY)]
    return [signing_key_from_pem(each + b"\n" + _END_OF_KEY + b"\n") for each in blocks if each]


def public_keys(keys: Iterable[ECKey]) -> KeySet:
    """Return the key set with the public halves only, to publish or verify with."""
    return KeySet([_public(key) for key in keys])


def read_jwks(source: Path | str | bytes) -> KeySet:
    """Return the public keys of a JWKS: a file path, or the JSON text itself.

    Raises ValueError when it is unreadable, empty, or holds anything but P-256 keys.
    """
    text = source.read_bytes() if isinstance(source, Path) else source
    try:
        found = KeySet.import_key_set(cast("KeySetSerialization", json.loads(text)))
    except (JoseError, KeyError, TypeError, ValueError) as problem:
        message = "not a JWK set"
        raise ValueError(message) from problem
    if not found or any(not isinstance(key, ECKey) or key.curve_name != _CURVE for key in found):
        message = "a JWK set of P-256 keys is needed"
        raise ValueError(message)
    return public_keys(cast("ECKey", key) for key in found)


def write_jwks(keys: Iterable[ECKey], path: Path) -> None:
    """Publish the public halves as a JWKS file; readers see the old file or the new one, never half."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(public_keys(keys).as_dict(private=False), sort_keys=True) + "\n")
    fresh.replace(path)


def _public(key: ECKey) -> Key:
    key.ensure_kid()
    return ECKey.import_key(key.as_dict(private=False))
