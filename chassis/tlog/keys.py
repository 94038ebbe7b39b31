"""Keys of logs and witnesses in files: Ed25519, PEM (PKCS #8)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from chassis.errors import Kind, declare
from chassis.tlog.note import Signer

LOG_KEY_MALFORMED = declare(
    "LOG_KEY_MALFORMED",
    Kind.FAILED_PRECONDITION,
    "日志或见证密钥不是 PEM 格式的 Ed25519 私钥",
    "The key of a log or witness is no Ed25519 private key in PEM",
)


def new_log_key() -> str:
    """Return a fresh private key as PEM."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def read_signer(pem: bytes, name: str, kind: int) -> Signer:
    """Return what signs under a name. Raises LOG_KEY_MALFORMED."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise LOG_KEY_MALFORMED() from None
    if not isinstance(key, Ed25519PrivateKey):
        raise LOG_KEY_MALFORMED()
    return Signer(name, kind, key)
