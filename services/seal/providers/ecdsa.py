"""ECDSA on P-256 with SHA-256 through `cryptography`: the second suite, for tests and for work inside a house.

A seal signed with it is not a GB/T 38540 seal.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)  # fmt: skip

from services.seal.domain.suite import (
    ECDSA_WITH_SHA256,
    P256_CURVE,
    SHA256,
    algorithm,
    public_key_prefix,
    signature_numbers,
)  # fmt: skip
from services.seal.providers.libcrypto import KEY_REFUSED

_ALGORITHM = ec.ECDSA(hashes.SHA256())


class EcdsaKey:
    """A software P-256 key."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        """Return the DER signature over the message."""
        return self._key.sign(message, _ALGORITHM)


class EcdsaSuite:
    """Suite ECDSA-P256-SHA256."""

    name = "ECDSA-P256-SHA256"
    signature_oid = ECDSA_WITH_SHA256
    digest_oid = SHA256
    curve_oid = P256_CURVE
    algorithm_der = algorithm(ECDSA_WITH_SHA256)
    curve_order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    def digest(self, data: bytes) -> bytes:
        """Return SHA-256 of the data."""
        return hashlib.sha256(data).digest()

    def accepts_key(self, public_key: bytes) -> bool:
        """Return whether this is the uncompressed 91-byte form of a point on the curve."""
        return _public(public_key) is not None

    def verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Return whether the signature holds."""
        key = _public(public_key)
        if key is None or signature_numbers(signature, self.curve_order) is None:
            return False
        try:
            key.verify(signature, message, _ALGORITHM)
        except InvalidSignature:
            return False
        return True

    def open_key(self, private_key: bytes | bytearray) -> EcdsaKey:
        """Return the signing key of a DER PKCS#8 private key.

        Raises:
            SEAL_KEY_REFUSED: It is not a P-256 private key.
        """
        try:
            key = load_der_private_key(private_key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KEY_REFUSED() from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise KEY_REFUSED()
        return EcdsaKey(key)

    def generate_key(self) -> bytes:
        """Return a fresh private key as DER PKCS#8."""
        key = ec.generate_private_key(ec.SECP256R1())
        return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@lru_cache(maxsize=512)
def _public(public_key: bytes) -> ec.EllipticCurvePublicKey | None:
    if len(public_key) != 91 or not public_key.startswith(public_key_prefix(P256_CURVE)):
        return None
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None
