"""RFC 3161 timestamps with the suites' algorithms: no library serves or verifies SM2/SM3 tokens.

A timestamp field may hold a token or a whole response; both are read, tokens are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.seal.domain import der
from services.seal.domain.certificates import Certificate, CertificateError, build_path, read_certificate
from services.seal.domain.der import DerError, Tlv
from services.seal.domain.suite import SigningKey, Suite, Suites

_SIGNED_DATA, _GM_SIGNED_DATA = "1.2.840.113549.1.7.2", "1.2.156.10197.6.1.4.2.2"
_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_TIME = (f"1.2.840.113549.1.9.{number}" for number in (3, 4, 5))
_SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.47"
_TIME_STAMPING = frozenset({"time_stamping"})


@dataclass(frozen=True, slots=True)
class TimestampTrust:
    """Whom to believe about time."""

    suites: Suites
    anchors: Sequence[Certificate]
    pool: Sequence[Certificate]


@dataclass(frozen=True, slots=True)
class TokenResult:
    """`fault` names what is wrong with the token, empty if nothing; `trusted` needs a path to an anchor."""

    generated_at: datetime | None
    fault: str = ""
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class _Token:
    info_raw: bytes
    imprint: bytes
    digest_oid: str
    generated_at: datetime
    certificates: tuple[bytes, ...]
    attributes_set: bytes
    attributes: dict[str, Tlv]
    issuer_serial: bytes
    algorithm: str
    signature: bytes


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
    digest_algorithm = der.sequence(der.write_oid(suite.digest_oid))
    info = der.sequence(
        der.write_integer(1),
        der.write_oid(policy_oid),
        der.sequence(digest_algorithm, der.write_octets(imprint)),
        der.write_integer(serial),
        der.write_time(generated_at),
        *([der.write_integer(nonce)] if nonce is not None else []),
    )
    attributes = _attributes(suite, certificate, info, digest_algorithm, generated_at)
    signer = der.sequence(
        der.write_integer(1),
        _issuer_serial(read_certificate(certificate)),
        digest_algorithm,
        b"\xa0" + attributes[1:],
        suite.algorithm_der,
        der.write_octets(key.sign(attributes)),
    )
    signed = der.sequence(
        der.write_integer(3),
        der.write(der.SET, digest_algorithm),
        der.sequence(der.write_oid(_TST_INFO), der.explicit(0, der.write_octets(info))),
        der.write(0xA0, certificate),
        der.write(der.SET, signer),
    )
    return der.sequence(der.write_oid(_SIGNED_DATA), der.explicit(0, signed))


def judge_token(data: bytes, stamped: bytes, trust: TimestampTrust) -> TokenResult:
    """Return whether `data` is a sound token over the digest of `stamped`, and whether its authority is trusted."""
    try:
        token = _read(data)
    except DerError as error:
        return TokenResult(None, f"format: {error}")
    leaf = _leaf(token)
    if leaf is None:
        return TokenResult(token.generated_at, "certificate")
    fault = _fault(token, leaf, stamped, trust.suites)
    if fault:
        return TokenResult(token.generated_at, fault)
    pool = [*trust.pool, *_readable(token.certificates)]
    path = build_path(leaf, pool, trust.anchors, token.generated_at, trust.suites)
    if path.problem is not None and not path.problem.open_question:
        return TokenResult(token.generated_at, path.problem.value)
    return TokenResult(token.generated_at, "", path.problem is None)


def _fault(token: _Token, leaf: Certificate, stamped: bytes, suites: Suites) -> str:
    suite = suites.by_signature(token.algorithm)
    if suite is None or suite.digest_oid != token.digest_oid or suite.curve_oid != leaf.curve_oid:
        return "algorithm"
    if token.imprint != suite.digest(stamped):
        return "imprint"
    if _single(token, _MESSAGE_DIGEST).body != suite.digest(token.info_raw):
        return "messageDigest"
    if der.oid(_single(token, _CONTENT_TYPE)) != _TST_INFO:
        return "contentType"
    if not _names_certificate(_single(token, _SIGNING_CERTIFICATE), leaf, suite):
        return "signingCertificate"
    if leaf.extended_key_usage != _TIME_STAMPING or not leaf.valid_at(token.generated_at):
        return "extKeyUsage or validity"
    good = suite.verify(leaf.public_key, token.signature, token.attributes_set)
    return "" if good else "signature"


def _single(token: _Token, oid: str) -> Tlv:
    """Return the one value of a signed attribute; an absent one compares unequal to everything."""
    return token.attributes.get(oid, der.read(der.write(der.OID, b"\x00")))


def _names_certificate(value: Tlv, leaf: Certificate, suite: Suite) -> bool:
    """Return whether ESSCertIDv2 holds the leaf's digest under the suite's algorithm, which must be written out."""
    try:
        first = der.children(der.children(der.children(value)[0])[0])
        method = der.oid(der.children(first[0])[0])
        return method == suite.digest_oid and der.octets(first[1]) == suite.digest(leaf.raw)
    except (DerError, IndexError):
        return False


def _leaf(token: _Token) -> Certificate | None:
    found = [cert for cert in _readable(token.certificates) if _issuer_serial(cert) == token.issuer_serial]
    return found[0] if len(found) == 1 else None


def _readable(certificates: Sequence[bytes]) -> list[Certificate]:
    found = []
    for data in certificates:
        try:
            found.append(read_certificate(data))
        except CertificateError:
            continue
    return found


def _read(data: bytes) -> _Token:
    try:
        return _token(der.read(data, der.SEQUENCE))
    except (IndexError, ValueError) as error:
        raise DerError(str(error)) from None


def _token(outer: Tlv) -> _Token:
    parts = der.children(outer)
    if parts[0].tag == der.SEQUENCE:  # a TimeStampResp: status, then the token
        if der.integer(der.children(parts[0])[0]) > 1:
            raise DerError("the response grants nothing")
        parts = der.children(parts[1])
    if der.oid(parts[0]) not in {_SIGNED_DATA, _GM_SIGNED_DATA}:
        raise DerError("not SignedData")
    _, _, content, *optional, signers = der.children(der.children(parts[1])[0])
    content_type, wrapped = der.children(content)
    if der.oid(content_type) != _TST_INFO:
        raise DerError("not TSTInfo")
    info_raw = der.octets(der.children(wrapped)[0])
    info = der.children(der.read(info_raw, der.SEQUENCE))
    method, imprint = der.children(info[2])
    (signer,) = der.children(der.expect(signers, der.SET))
    _, sid, digest, attributes, algorithm, signature, *_ = der.children(signer)
    digest_oid = der.oid(der.children(method)[0])
    if der.oid(der.children(digest)[0]) != digest_oid:
        raise DerError("two digest methods")
    return _Token(
        info_raw=info_raw, imprint=der.octets(imprint), digest_oid=digest_oid, generated_at=der.time(info[4]),
        certificates=tuple(
            cert.raw for part in optional if part.tag == 0xA0 for cert in der.children(part)
        ),
        attributes_set=b"\x31" + der.expect(attributes, 0xA0).raw[1:],
        attributes=_attribute_values(attributes), issuer_serial=sid.raw,
        algorithm=der.oid(der.children(algorithm)[0]), signature=der.octets(signature),
    )  # fmt: skip


def _attribute_values(attributes: Tlv) -> dict[str, Tlv]:
    found: dict[str, Tlv] = {}
    for attribute in der.children(attributes):
        name, values = der.children(attribute)
        (value,) = der.children(der.expect(values, der.SET))
        if der.oid(name) in found:
            raise DerError("an attribute stands twice")
        found[der.oid(name)] = value
    return found


def _attributes(
    suite: Suite, certificate: bytes, info: bytes, digest_algorithm: bytes, generated_at: datetime
) -> bytes:
    """Return the signed attributes as the DER SET that is signed."""
    ess = der.sequence(
        der.sequence(der.sequence(digest_algorithm, der.write_octets(suite.digest(certificate))))
    )
    values = (
        (_CONTENT_TYPE, der.write_oid(_TST_INFO)),
        (_SIGNING_TIME, der.write_certificate_time(generated_at)),
        (_MESSAGE_DIGEST, der.write_octets(suite.digest(info))),
        (_SIGNING_CERTIFICATE, ess),
    )
    return der.set_of([der.sequence(der.write_oid(oid), der.write(der.SET, value)) for oid, value in values])


def _issuer_serial(certificate: Certificate) -> bytes:
    return der.sequence(certificate.issuer_raw, der.write_integer(certificate.serial))
