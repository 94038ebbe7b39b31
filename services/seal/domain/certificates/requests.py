"""Requests for certificates (PKCS#10, RFC 2986) with a suite's key: SM2 with SM3 as GM/T 0092 has it, and P-256."""

from __future__ import annotations

from dataclasses import dataclass

from services.seal.domain import der
from services.seal.domain.certificates.model import CertificateError
from services.seal.domain.der import DerError
from services.seal.domain.suite import SigningKey, Suite

_VERSION_1 = 0


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request as read: whom it is for, the key, and whether its signature proves possession."""

    subject_raw: bytes
    public_key: bytes
    proved: bool


def build_request(suite: Suite, key: SigningKey, subject: bytes) -> bytes:
    """Return the DER request of a subject (raw DER name) for the key, without attributes."""
    info = der.sequence(der.write_integer(_VERSION_1), subject, key.public_key, der.write(0xA0, b""))
    return der.sequence(info, suite.algorithm_der, der.write_bits(key.sign(info)))


def read_request(suite: Suite, data: bytes) -> CertificateRequest:
    """Return the request that `data` is. Raises CertificateError."""
    try:
        der.check(data)
        info, algorithm, signature = _exactly(der.children(der.read(data, der.SEQUENCE)), 3)
        version, subject, key, attributes = _exactly(der.children(info), 4)
        der.expect(attributes, 0xA0)
        said = der.integer(version), algorithm.raw
        proved = suite.accepts_key(key.raw) and suite.verify(key.raw, der.bits(signature), info.raw)
    except DerError as error:
        raise CertificateError(str(error)) from None
    if said != (_VERSION_1, suite.algorithm_der):
        raise CertificateError("not a request of this suite")
    return CertificateRequest(subject.raw, key.raw, proved)


def _exactly(parts: list[der.Tlv], count: int) -> list[der.Tlv]:
    if len(parts) != count:
        raise DerError(f"{len(parts)} elements where {count} are due")
    return parts
