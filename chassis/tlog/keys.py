"""Keys of logs and witnesses in files: Ed25519, PEM (PKCS #8)."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from chassis.errors import Kind, declare
from chassis.fresh import FreshFiles
from chassis.tlog.note import Signer, Verifier

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


class LiveSigner:
    """The signer of a key file as it is now, at most a second old: what a log signs with while its key is rotated."""

    def __init__(self, path: Path, name: str, kind: int) -> None:
        """Read it once. Raises LOG_KEY_MALFORMED, OSError."""
        self.name = name
        self._file = FreshFiles([path], lambda: read_signer(path.read_bytes(), name, kind))

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return self._file.current().verifier

    def sign(self, text: str) -> str:
        """Return the note of a text with one signature."""
        return self._file.current().sign(text)


def read_verifiers(path: Path) -> list[Verifier]:
    """Return the verifier keys of a file, a line each, ``#`` before a comment; none where there is no file. Raises NOTE_MALFORMED."""
    if not path.is_file():
        return []
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return [Verifier.parse(line) for line in lines if line and not line.startswith("#")]
