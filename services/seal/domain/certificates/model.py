"""Certificates and CRLs as read: own strict splitter for the frame, asn1crypto for the extensions it knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from asn1crypto import x509

from services.seal.domain import der
from services.seal.domain.der import DerError, Tlv
from services.seal.domain.suite import EC_PUBLIC_KEY

_KNOWN_CRITICAL = frozenset(
    {"basic_constraints", "key_usage", "extended_key_usage", "certificate_policies", "subject_alt_name",
     "authority_key_identifier", "key_identifier"}
)  # fmt: skip
_ASN1: Any = x509.Certificate  # asn1crypto is untyped
_MAX_BYTES = 64 << 10  # what is read is kept, so its size is bounded
_MOST_REVOKED = 2_000_000  # entries of a CRL: lists come from trust settings, not from documents
_CRL_KNOWN = frozenset({"2.5.29.20", "2.5.29.35"})  # cRLNumber, authorityKeyIdentifier
_ENTRY_KNOWN = frozenset({"2.5.29.21", "2.5.29.24"})  # reasonCode, invalidityDate


class CertificateError(ValueError):
    """The bytes are not a certificate or list we can judge; never leaves the domain."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate; names and keys stay raw DER, since two names that print alike may differ in bytes.

    `curve_oid` is empty for a key of another kind, as RSA, which no suite of ours uses.
    """

    raw: bytes
    tbs_raw: bytes
    serial: int
    issuer_raw: bytes
    subject_raw: bytes
    subject_text: str
    not_before: datetime
    not_after: datetime
    public_key: bytes
    curve_oid: str
    algorithm: str
    has_parameters: bool
    signature: bytes
    is_ca: bool
    path_length: int | None
    key_usage: frozenset[str] | None
    extended_key_usage: frozenset[str]
    subject_key_id: bytes | None
    authority_key_id: bytes | None
    unknown_critical: frozenset[str]
    extended_key_usage_is_critical: bool = False

    def valid_at(self, moment: datetime) -> bool:
        """Return whether the validity period holds the moment, both ends included."""
        return self.not_before <= moment <= self.not_after

    def may(self, *usages: str) -> bool:
        """Return whether the key usage allows one of `usages`; a certificate without key usage may not."""
        return self.key_usage is not None and not self.key_usage.isdisjoint(usages)


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A CRL: serial → moment of revocation."""

    raw: bytes
    tbs_raw: bytes
    issuer_raw: bytes
    algorithm: str
    signature: bytes
    this_update: datetime
    next_update: datetime | None
    revoked: dict[int, datetime]
    unknown_critical: bool


@lru_cache(maxsize=1024)
def read_certificate(data: bytes) -> Certificate:
    """Return the certificate that `data` is.

    Raises:
        CertificateError: It is not one strict certificate.
    """
    if len(data) > _MAX_BYTES:
        raise CertificateError("the certificate is too large")
    try:
        der.check(data)
        return _certificate(data)
    except DerError as error:
        raise CertificateError(str(error)) from None
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:  # all that asn1crypto is known to raise
        raise CertificateError(f"unreadable extension: {type(error).__name__}") from None


def _certificate(data: bytes) -> Certificate:
    tbs, outer_algorithm, signature = _three(data)
    fields = der.children(tbs)
    if not fields or fields[0].tag != 0xA0:
        raise DerError("not an X.509 version 3 certificate")
    if der.integer(der.read(fields[0].body)) != 2 or len(fields) < 7:
        raise DerError("not an X.509 version 3 certificate")
    serial, inner_algorithm, issuer, validity, subject, key = fields[1:7]
    if inner_algorithm.raw != outer_algorithm.raw:
        raise DerError("two signature algorithms")
    not_before, not_after = (der.time(moment) for moment in _exactly(der.children(validity), 2))
    parsed: Any = _ASN1.load(data, strict=True)
    _refuse_repeated(parsed["tbs_certificate"]["extensions"])
    basic, usage, extended = (
        parsed.basic_constraints_value, parsed.key_usage_value, parsed.extended_key_usage_value,
    )  # fmt: skip
    authority = parsed.authority_key_identifier_value
    return Certificate(
        raw=data, tbs_raw=tbs.raw, serial=der.integer(serial), issuer_raw=issuer.raw, subject_raw=subject.raw,
        subject_text=_name_text(subject), not_before=not_before, not_after=not_after,
        public_key=key.raw, curve_oid=_curve(key), algorithm=der.oid(der.children(outer_algorithm)[0]),
        has_parameters=len(der.children(outer_algorithm)) > 1,
        signature=der.bits(signature),
        is_ca=bool(basic["ca"].native) if basic else False,
        path_length=basic["path_len_constraint"].native if basic else None,
        key_usage=frozenset(usage.native) if usage else None,
        extended_key_usage=frozenset(extended.native) if extended else frozenset(),
        subject_key_id=parsed.key_identifier,
        authority_key_id=authority["key_identifier"].native if authority else None,
        unknown_critical=frozenset(parsed.critical_extensions) - _KNOWN_CRITICAL,
        extended_key_usage_is_critical="extended_key_usage" in parsed.critical_extensions,
    )  # fmt: skip


def _refuse_repeated(extensions: Any) -> None:
    names = [extension["extn_id"].dotted for extension in extensions]
    if len(set(names)) != len(names):
        raise DerError("an extension stands twice")


def _name_text(name: Tlv) -> str:
    """Return the last attribute that is text (by custom the common name), for showing only."""
    text = ""
    for group in der.children(name):
        for attribute in der.children(group):
            value = der.children(attribute)[-1]
            if value.tag in {der.UTF8_STRING, der.PRINTABLE_STRING, der.IA5_STRING}:
                text = value.body.decode("utf-8", "replace")
    return text


def _algorithm(tlv: Tlv) -> str:
    """Return the OID of an AlgorithmIdentifier without parameters: NULL is wrong for SM2 and ECDSA alike."""
    parts = der.children(der.expect(tlv, der.SEQUENCE))
    if len(parts) != 1:
        raise DerError("algorithm with parameters")
    return der.oid(parts[0])


def _curve(key: Tlv) -> str:
    algorithm = der.children(der.children(key)[0])
    if der.oid(algorithm[0]) != EC_PUBLIC_KEY:
        return ""
    return der.oid(_exactly(algorithm, 2)[1])


@lru_cache(maxsize=64)
def read_crl(data: bytes) -> RevocationList:
    """Return the revocation list that `data` is.

    Raises:
        CertificateError: It is not one strict CertificateList.
    """
    try:
        return _crl(data)
    except DerError as error:
        raise CertificateError(str(error)) from None


def _crl(data: bytes) -> RevocationList:
    tbs, outer_algorithm, signature = _three(data)
    fields = der.children(tbs)
    if fields and fields[0].tag == der.INTEGER:
        fields = fields[1:]
    if len(fields) < 3 or fields[0].raw != outer_algorithm.raw:
        raise DerError("two signature algorithms")
    issuer, this_update, rest = fields[1], der.time(fields[2]), fields[3:]
    next_update = (
        der.time(rest.pop(0)) if rest and rest[0].tag in {der.UTC_TIME, der.GENERALIZED_TIME} else None
    )
    entries = der.children(rest.pop(0), _MOST_REVOKED) if rest and rest[0].tag == der.SEQUENCE else []
    unknown = bool(rest) and _unknown_critical(der.read(der.expect(rest[0], 0xA0).body), _CRL_KNOWN)
    revoked: dict[int, datetime] = {}
    for entry in entries:
        parts = der.children(entry)
        revoked[der.integer(parts[0])] = der.time(parts[1])
        unknown = unknown or (len(parts) > 2 and _unknown_critical(parts[2], _ENTRY_KNOWN))
    return RevocationList(
        raw=data, tbs_raw=tbs.raw, issuer_raw=issuer.raw, algorithm=_algorithm(outer_algorithm),
        signature=der.bits(signature), this_update=this_update, next_update=next_update, revoked=revoked,
        unknown_critical=unknown,
    )  # fmt: skip


def _unknown_critical(extensions: Tlv, known: frozenset[str]) -> bool:
    for extension in der.children(extensions):
        parts = der.children(extension)
        if len(parts) == 3 and der.boolean(parts[1]) and der.oid(parts[0]) not in known:
            return True
    return False


def _three(data: bytes) -> tuple[Tlv, Tlv, Tlv]:
    tbs, algorithm, signature = _exactly(der.children(der.read(data, der.SEQUENCE)), 3)
    return der.expect(tbs, der.SEQUENCE), algorithm, signature


def _exactly(parts: list[Tlv], count: int) -> list[Tlv]:
    if len(parts) != count:
        raise DerError(f"{len(parts)} elements where {count} are due")
    return parts
