"""The algorithm suite as a port: chosen by object identifiers, never by names found in documents."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

from services.seal.domain import der

SM2_CURVE, SM2_WITH_SM3, SM3 = "1.2.156.10197.1.301", "1.2.156.10197.1.501", "1.2.156.10197.1.401"
P256_CURVE, ECDSA_WITH_SHA256, SHA256 = "1.2.840.10045.3.1.7", "1.2.840.10045.4.3.2", "2.16.840.1.101.3.4.2.1"
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
_SMALL_BYTES = 128 << 10  # answers about longer messages are not kept
SM2_ID = b"1234567812345678"
"""The signer's ID that goes into Z for seals, documents, certificates and CRLs alike (GM/T 0009)."""


class SigningKey(Protocol):
    """A private key that signs and is never shown."""

    @property
    def public_key(self) -> bytes:
        """The DER SubjectPublicKeyInfo."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return a DER SEQUENCE{r, s} over the whole message."""
        ...


class Suite(Protocol):
    """A signature algorithm with its digest and curve."""

    name: str
    signature_oid: str
    digest_oid: str
    curve_oid: str
    algorithm_der: bytes
    curve_order: int

    def __hash__(self) -> int: ...

    def digest(self, data: bytes) -> bytes:
        """Return the 32-byte digest."""
        ...

    def verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Return whether the signature holds; a malformed key or signature does not."""
        ...

    def accepts_key(self, public_key: bytes) -> bool:
        """Return whether the DER SubjectPublicKeyInfo is the one canonical form of a point on the curve."""
        ...

    def open_key(self, private_key: bytes | bytearray) -> SigningKey:
        """Return the signing key of a DER PKCS#8 (or SEC 1) private key."""
        ...

    def generate_key(self) -> bytes:
        """Return a fresh private key as DER PKCS#8."""
        ...


class Suites:
    """The suites built in, found by what certificates and signatures state."""

    def __init__(self, suites: Iterable[Suite]) -> None:
        self._by_signature = {suite.signature_oid: suite for suite in suites}

    def by_signature(self, oid: str) -> Suite | None:
        """Return the suite with this signature algorithm."""
        return self._by_signature.get(oid)

    def by_name(self, name: str) -> Suite | None:
        """Return the suite of this name."""
        return next((suite for suite in self._by_signature.values() if suite.name == name), None)

    def by_digest(self, oid: str) -> Suite | None:
        """Return the suite with this digest."""
        return next((suite for suite in self._by_signature.values() if suite.digest_oid == oid), None)


def algorithm(signature_oid: str) -> bytes:
    """Return the AlgorithmIdentifier without parameters, the only form for SM2 and ECDSA."""
    return der.sequence(der.write_oid(signature_oid))


def public_key_prefix(curve_oid: str) -> bytes:
    """Return the 26 or 27 bytes that start every canonical SubjectPublicKeyInfo of a 256-bit curve, with `04`."""
    head = der.sequence(der.write_oid(EC_PUBLIC_KEY), der.write_oid(curve_oid))
    whole = der.sequence(head, der.write_bits(b"\x04" + bytes(64)))
    return whole[:-64]


def verify_once(suite: Suite, public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Return what the suite says of a signature that recurs: of certificates, revocation lists and seals."""
    known = _verify_small if len(message) <= _SMALL_BYTES and len(signature) < 100 else _verify
    return known(suite, public_key, signature, message)


def _verify(suite: Suite, public_key: bytes, signature: bytes, message: bytes) -> bool:
    return suite.verify(public_key, signature, message)


_verify_small = lru_cache(maxsize=512)(_verify)


def signature_numbers(signature: bytes, order: int) -> tuple[int, int] | None:
    """Return (r, s) of a strict DER signature with 1 ≤ r, s < order, else None."""
    try:
        parts = der.children(der.read(signature, der.SEQUENCE))
        numbers = [der.integer(part) for part in parts]
    except der.DerError:
        return None
    if len(numbers) != 2 or any(part.tag != der.INTEGER for part in parts):
        return None
    return (numbers[0], numbers[1]) if all(0 < number < order for number in numbers) else None
