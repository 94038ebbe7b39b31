"""A development PKI: root, a CA for seal makers, a CA for signers, and the end certificates under them.

For local stacks and tests: its private keys are plain values in memory. A deployment brings certificates of a
licensed CA instead and uses only `certify` for its own status key, or none of this.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.seal.domain.certificates import (
    Profile,
    build_certificate,
    build_crl,
    build_name,
    read_certificate,
)
from services.seal.domain.certificates.building import CA, SIGNER
from services.seal.domain.suite import Suite

STATUS_LIST_SIGNING = "2.25.309174650284513965530211408734912057763"
"""Extended key usage of the key that signs seal status lists (an OID from a UUID, X.667)."""
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
_CLOCK_SLACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Credential:
    """A DER certificate and, unseen in logs, its DER PKCS#8 private key."""

    certificate: bytes
    private_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DevelopmentPki:
    """Everything a local stack needs to make seals, seal documents and verify them."""

    root: Credential
    maker_ca: Credential
    signer_ca: Credential
    maker: Credential
    status: Credential
    signers: dict[str, Credential]
    crls: tuple[bytes, ...]

    @property
    def anchors(self) -> tuple[bytes, ...]:
        """The trust anchors."""
        return (self.root.certificate,)

    @property
    def intermediates(self) -> tuple[bytes, ...]:
        """The CA certificates between anchors and end certificates."""
        return (self.maker_ca.certificate, self.signer_ca.certificate)


def make_development_pki(
    suite: Suite, authorities: Iterable[str], now: datetime, lifetime: timedelta = timedelta(days=3650)
) -> DevelopmentPki:
    """Return a fresh PKI with one signer per authority name and empty CRLs of all three CAs, good for 30 days."""
    until = now + lifetime
    root = _root(suite, "通办开发根CA", now, until)
    maker_ca = certify(suite, root, "通办开发制章CA", CA, now, until)
    signer_ca = certify(suite, root, "通办开发签名CA", CA, now, until)
    status_profile = Profile(SIGNER.usages, extended_usages=(STATUS_LIST_SIGNING,))
    return DevelopmentPki(
        root=root,
        maker_ca=maker_ca,
        signer_ca=signer_ca,
        maker=certify(suite, maker_ca, "通办开发电子印章制作系统", SIGNER, now, until),
        status=certify(suite, maker_ca, "通办开发印章状态服务", status_profile, now, until),
        signers={name: certify(suite, signer_ca, name, SIGNER, now, until) for name in authorities},
        crls=tuple(make_crl(suite, ca, {}, 1, now) for ca in (root, maker_ca, signer_ca)),
    )


@dataclass(frozen=True, slots=True)
class CompanionPki:
    """A root and a CA for signers in a second suite: for what cannot carry the first one, as PDF."""

    root: Credential
    signer_ca: Credential


def make_companion_pki(
    suite: Suite, now: datetime, lifetime: timedelta = timedelta(days=3650)
) -> CompanionPki:
    """Return a fresh root and a CA for signers below it."""
    until = now + lifetime
    root = _root(suite, "通办开发根CA（P-256）", now, until)
    return CompanionPki(root, certify(suite, root, "通办开发签名CA（P-256）", CA, now, until))


def certify(
    suite: Suite, issuer: Credential, common_name: str, profile: Profile, now: datetime, until: datetime
) -> Credential:
    """Return a fresh key with a certificate of `issuer`, valid from five minutes before `now`."""
    issuer_certificate = read_certificate(issuer.certificate)
    private_key = suite.generate_key()
    certificate = build_certificate(
        suite,
        suite.open_key(issuer.private_key),
        issuer_certificate.subject_raw,
        build_name(common_name, "通办开发环境"),
        suite.open_key(private_key).public_key,
        _serial(),
        max(now - _CLOCK_SLACK, issuer_certificate.not_before),
        min(until, issuer_certificate.not_after),
        profile,
    )
    return Credential(certificate, private_key)


def make_crl(
    suite: Suite,
    issuer: Credential,
    revoked: Mapping[bytes, datetime],
    number: int,
    now: datetime,
    lifetime: timedelta = timedelta(days=30),
) -> bytes:
    """Return a CRL of `issuer`; `revoked` maps DER certificates to the moment of their revocation."""
    serials = {read_certificate(certificate).serial: moment for certificate, moment in revoked.items()}
    name = read_certificate(issuer.certificate).subject_raw
    key = suite.open_key(issuer.private_key)
    return build_crl(suite, key, name, number, now - _CLOCK_SLACK, now + lifetime, serials)


def _root(suite: Suite, common_name: str, now: datetime, until: datetime) -> Credential:
    private_key = suite.generate_key()
    key = suite.open_key(private_key)
    name = build_name(common_name, "通办开发环境")
    certificate = build_certificate(
        suite, key, name, name, key.public_key, _serial(), now - _CLOCK_SLACK, until, CA
    )
    return Credential(certificate, private_key)


def _serial() -> int:
    """Return 127 random bits, never zero in the top byte."""
    return secrets.randbits(126) | 1 << 126
