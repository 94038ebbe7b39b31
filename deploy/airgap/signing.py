"""The builder's signature on a bundle: ECDSA on P-256 over SHA-256.

Any OpenSSL since 1.0.2 verifies it, so the machine that installs needs nothing beyond what it has;
Ed25519 would ask for OpenSSL 3, which many servers of counties do not have yet.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from deploy.airgap.faults import AIRGAP_KEY_UNUSABLE


def make_key(path: Path) -> Path:
    """Make a signing key at ``path``, readable by its owner only; return the public key's path beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private)
    public = path.with_suffix(".pub")
    public.write_bytes(_public_pem(key))
    return public


def read_key(path: Path, password: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """Return the builder's key. Raises AIRGAP_KEY_UNUSABLE."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password)
    except (OSError, ValueError, TypeError):
        raise AIRGAP_KEY_UNUSABLE(path=path) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise AIRGAP_KEY_UNUSABLE(path=path)
    return key


def sign_file(key: ec.EllipticCurvePrivateKey, path: Path) -> bytes:
    """Return the DER signature over every byte of a file."""
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").digest()
    return key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def fingerprint(key: ec.EllipticCurvePrivateKey) -> str:
    """Return the public key's SHA-256 in groups of four, to be read out over the telephone."""
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashlib.sha256(spki).hexdigest()
    return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))


def _public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
