"""Writing a TimeStampToken: CMS SignedData over a TSTInfo (RFC 3161 2.4.2, RFC 5652, RFC 5816).

Everything that is the same for each token of a key is written once: a token costs one signature and little else.
"""

from __future__ import annotations

from datetime import datetime

from services.seal.domain import der
from services.seal.domain.certificates import Certificate, read_certificate
from services.seal.domain.suite import SigningKey, Suite

SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = (f"1.2.840.113549.1.9.{number}" for number in (3, 4, 5))
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.47"
_VERSION = der.write_integer(1)


def make_token(
    suite: Suite,
    key: SigningKey,
    certificate: bytes,
    imprint: bytes,
    serial: int,
    generated_at: datetime,
    policy_oid: str,
    nonce: int | None = None,
) -> bytes:
    """Return a TimeStampToken over a digest; `serial` must be unique for the authority (RFC 3161 2.4.2)."""
    writer = TokenWriter(suite, key, certificate, policy_oid)
    return writer.token(
        message_imprint(suite.digest_oid, imprint),
        serial,
        generated_at,
        nonce=der.write_integer(nonce) if nonce is not None else b"",
    )


def message_imprint(digest_oid: str, digest: bytes) -> bytes:
    """Return the DER MessageImprint of a digest; the algorithm without parameters."""
    return der.sequence(der.sequence(der.write_oid(digest_oid)), der.write_octets(digest))


def issuer_and_serial(certificate: Certificate) -> bytes:
    """Return the DER IssuerAndSerialNumber that names a certificate."""
    return der.sequence(certificate.issuer_raw, der.write_integer(certificate.serial))


class TokenWriter:
    """Writes tokens of one key: one suite, one certificate, one policy, one stated accuracy."""

    def __init__(
        self, suite: Suite, key: SigningKey, certificate: bytes, policy_oid: str, accuracy_seconds: int = 0
    ) -> None:
        self._suite, self._key = suite, key
        self._policy = der.write_oid(policy_oid)
        self._accuracy = der.sequence(der.write_integer(accuracy_seconds)) if accuracy_seconds else b""
        algorithm = der.sequence(der.write_oid(suite.digest_oid))
        self._content_type = _attribute(CONTENT_TYPE, der.write_oid(TST_INFO))
        self._signing_certificate = _attribute(
            SIGNING_CERTIFICATE,
            der.sequence(der.sequence(der.sequence(algorithm, der.write_octets(suite.digest(certificate))))),
        )
        sid = issuer_and_serial(read_certificate(certificate))
        self._signer_head = _VERSION + sid + algorithm
        self._signed_head = der.write_integer(3) + der.write(der.SET, algorithm)
        self._certificates = der.write(0xA0, certificate)
        self._tst_info, self._signed_data = der.write_oid(TST_INFO), der.write_oid(SIGNED_DATA)

    def token(
        self,
        imprint: bytes,
        serial: int,
        generated_at: datetime,
        *,
        nonce: bytes = b"",
        with_certificate: bool = True,
    ) -> bytes:
        """Return a token over a DER MessageImprint; `nonce` is the DER INTEGER of the request, or empty."""
        info = der.sequence(
            _VERSION,
            self._policy,
            imprint,
            der.write_integer(serial),
            der.write_time(generated_at),
            self._accuracy,
            nonce,
        )
        attributes = der.set_of(
            [
                self._content_type,
                _attribute(SIGNING_TIME, der.write_certificate_time(generated_at)),
                _attribute(MESSAGE_DIGEST, der.write_octets(self._suite.digest(info))),
                self._signing_certificate,
            ]
        )
        signer = der.sequence(
            self._signer_head,
            b"\xa0" + attributes[1:],
            self._suite.algorithm_der,
            der.write_octets(self._key.sign(attributes)),
        )
        signed = der.sequence(
            self._signed_head,
            der.sequence(self._tst_info, der.explicit(0, der.write_octets(info))),
            self._certificates if with_certificate else b"",
            der.write(der.SET, signer),
        )
        return der.sequence(self._signed_data, der.explicit(0, signed))


def _attribute(oid: str, value: bytes) -> bytes:
    return der.sequence(der.write_oid(oid), der.write(der.SET, value))
