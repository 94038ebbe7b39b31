"""The signature under a manifest: detached Ed25519 (RFC 8032), which OpenSSL checks too.

``openssl pkeyutl -verify -pubin -inkey verifying_key.pem -rawin -in manifest.json -sigfile manifest.json.sig``
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cli.operations.faults import BACKUP_KEY_UNREADABLE, BACKUP_SIGNATURE_WRONG


def new_signing_key_pem() -> str:
    """Return a fresh private key, PKCS 8 PEM."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    )


def public_key_pem(private_pem: str) -> str:
    """Return the public half of a private key, PEM. Raises BACKUP_KEY_UNREADABLE."""
    public = _private(private_pem.encode(), "signing_key").public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode()


def keep_key_pair(directory: Path) -> tuple[Path, Path]:
    """Have ``signing_key.pem`` and ``verifying_key.pem`` in a directory that only its owner reads."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    private, public = directory / "signing_key.pem", directory / "verifying_key.pem"
    if not private.is_file():
        handle = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(new_signing_key_pem())
    if not public.is_file():
        public.write_text(public_key_pem(private.read_text(encoding="ascii")), encoding="ascii")
    return private, public


def sign(data: bytes, key_file: Path) -> bytes:
    """Return the 64 bytes of the signature. Raises BACKUP_KEY_UNREADABLE."""
    return _private(_read(key_file), str(key_file)).sign(data)


def check_signature(data: bytes, signature: bytes, key_file: Path) -> None:
    """Return if the signature holds. Raises BACKUP_SIGNATURE_WRONG, BACKUP_KEY_UNREADABLE."""
    try:
        key = serialization.load_pem_public_key(_read(key_file))
    except ValueError as problem:
        raise BACKUP_KEY_UNREADABLE(setting=key_file) from problem
    if not isinstance(key, Ed25519PublicKey):
        raise BACKUP_KEY_UNREADABLE(setting=key_file)
    try:
        key.verify(signature, data)
    except InvalidSignature as problem:
        raise BACKUP_SIGNATURE_WRONG() from problem


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BACKUP_KEY_UNREADABLE(setting=path) from problem


def _private(pem: bytes, name: str) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except ValueError as problem:
        raise BACKUP_KEY_UNREADABLE(setting=name) from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise BACKUP_KEY_UNREADABLE(setting=name)
    return key
