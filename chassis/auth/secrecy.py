"""Content for one recipient only: compact JWE, ECDH-ES on P-256 with AES-256-GCM (RFC 7516, 7518 4.6)."""

from __future__ import annotations

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from chassis.auth.live import KeySource, key_of
from chassis.errors import Kind, declare

_AGREEMENT, _CIPHER = "ECDH-ES", "A256GCM"

CONTENT_UNREADABLE = declare(
    "CONTENT_UNREADABLE",
    Kind.INVALID_ARGUMENT,
    "加密内容不是给本方的，或已被改动",
    "The encrypted content is not for us, or was altered",
)


def seal_for(recipient: ECKey, content: bytes) -> str:
    """Return the compact JWE that only the holder of the recipient's private key opens."""
    recipient.ensure_kid()
    header = {"alg": _AGREEMENT, "enc": _CIPHER, "kid": recipient.kid}
    return jwe.encrypt_compact(header, content, recipient, algorithms=[_AGREEMENT, _CIPHER])


def open_sealed(sealed: str, key: KeySource) -> bytes:
    """Return what `seal_for` sealed for this key. Raises CONTENT_UNREADABLE."""
    try:
        found = jwe.decrypt_compact(sealed, key_of(key), algorithms=[_AGREEMENT, _CIPHER])
    except (JoseError, ValueError, TypeError, KeyError) as problem:
        raise CONTENT_UNREADABLE() from problem
    return found.plaintext or b""
