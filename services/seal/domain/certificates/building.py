"""Making certificates and CRLs with a suite's key (RFC 5280 profile; basicConstraints and keyUsage critical)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.seal.domain import der
from services.seal.domain.suite import SigningKey, Suite

_COUNTRY, _ORGANISATION, _COMMON_NAME = "2.5.4.6", "2.5.4.10", "2.5.4.3"
_USAGES = (
    "digital_signature", "non_repudiation", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """What a certificate lets its key do; usages by their asn1crypto names, extended usages by OID."""

    usages: frozenset[str]
    is_ca: bool = False
    path_length: int | None = None
    extended_usages: tuple[str, ...] = ()


CA = Profile(frozenset({"key_cert_sign", "crl_sign"}), is_ca=True)
SIGNER = Profile(frozenset({"digital_signature", "non_repudiation"}))


def build_name(common_name: str, organisation: str = "", country: str = "CN") -> bytes:
    """Return the DER Name."""
    parts = [(_COUNTRY, der.write_text(der.PRINTABLE_STRING, country))]
    if organisation:
        parts.append((_ORGANISATION, der.write_text(der.UTF8_STRING, organisation)))
    parts.append((_COMMON_NAME, der.write_text(der.UTF8_STRING, common_name)))
    return der.sequence(*(der.set_of([der.sequence(der.write_oid(oid), value)]) for oid, value in parts))


def build_certificate(
    suite: Suite,
    issuer_key: SigningKey,
    issuer_name: bytes,
    subject_name: bytes,
    public_key: bytes,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    profile: Profile,
) -> bytes:
    """Return a version 3 certificate; `serial` must hold at least 64 random bits, names are raw DER."""
    tbs = der.sequence(
        der.explicit(0, der.write_integer(2)),
        der.write_integer(serial),
        suite.algorithm_der,
        issuer_name,
        der.sequence(der.write_certificate_time(not_before), der.write_certificate_time(not_after)),
        subject_name,
        public_key,
        der.explicit(3, der.sequence(*_extensions(profile, public_key, issuer_key.public_key))),
    )
    return der.sequence(tbs, suite.algorithm_der, der.write_bits(issuer_key.sign(tbs)))


def build_crl(
    suite: Suite,
    issuer_key: SigningKey,
    issuer_name: bytes,
    number: int,
    this_update: datetime,
    next_update: datetime,
    revoked: Mapping[int, datetime],
) -> bytes:
    """Return a version 2 CRL of the given serial numbers."""
    entries = [
        der.sequence(der.write_integer(serial), der.write_certificate_time(moment))
        for serial, moment in sorted(revoked.items())
    ]
    key_id = der.sequence(der.write(0x80, _key_id(issuer_key.public_key)))
    tbs = der.sequence(
        der.write_integer(1),
        suite.algorithm_der,
        issuer_name,
        der.write_certificate_time(this_update),
        der.write_certificate_time(next_update),
        *([der.sequence(*entries)] if entries else []),
        der.explicit(
            0,
            der.sequence(_extension("2.5.29.35", key_id), _extension("2.5.29.20", der.write_integer(number))),
        ),
    )
    return der.sequence(tbs, suite.algorithm_der, der.write_bits(issuer_key.sign(tbs)))


def _extensions(profile: Profile, public_key: bytes, issuer_public_key: bytes) -> Iterable[bytes]:
    constraints = []
    if profile.is_ca:
        constraints.append(der.write_boolean(True))
        if profile.path_length is not None:
            constraints.append(der.write_integer(profile.path_length))
    yield _extension("2.5.29.19", der.sequence(*constraints), critical=True)
    yield _extension("2.5.29.15", _usage_bits(profile.usages), critical=True)
    if profile.extended_usages:
        usages = der.sequence(*map(der.write_oid, profile.extended_usages))
        yield _extension("2.5.29.37", usages, critical=True)
    yield _extension("2.5.29.14", der.write_octets(_key_id(public_key)))
    yield _extension("2.5.29.35", der.sequence(der.write(0x80, _key_id(issuer_public_key))))


def _usage_bits(usages: frozenset[str]) -> bytes:
    """Return the named-bit BIT STRING: bit 0 first, no trailing zero bits (X.690 11.2.2)."""
    positions = [_USAGES.index(usage) for usage in usages]
    value = sum(0x80 >> position for position in positions)
    return der.write(der.BIT_STRING, bytes((7 - max(positions), value)))


def _extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = der.write_boolean(True) if critical else b""
    return der.sequence(der.write_oid(oid), flag, der.write_octets(value))


def _key_id(public_key: bytes) -> bytes:
    """Return 160 bits that name the key (RFC 7093 method 1: SHA-256 of the point, cut)."""
    return hashlib.sha256(public_key[-65:]).digest()[:20]
