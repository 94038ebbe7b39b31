"""Whether a token is sound and whose it is: imprint, signature, purpose, certificate id, path (§5 K, RFC 3161 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.seal.domain import der
from services.seal.domain.certificates import (
    Certificate,
    CertificateError,
    RevocationList,
    build_path,
    read_certificate,
    revocation_of,
)
from services.seal.domain.der import DerError, Tlv
from services.seal.domain.suite import SHA256, SM2_WITH_SM3, Suite, Suites
from services.seal.domain.timestamps.making import (
    CONTENT_TYPE,
    MESSAGE_DIGEST,
    SIGNING_CERTIFICATE,
    TST_INFO,
    issuer_and_serial,
)
from services.seal.domain.timestamps.reading import Token, first_certificate_digest, read_token

_TIME_STAMPING = frozenset({"time_stamping"})
_SM2_SIGN = "1.2.156.10197.1.301.1"
"""How authorities after GB/T 35275 name the algorithm of a signer: SM2 signature, the digest said beside it."""


@dataclass(frozen=True, slots=True)
class TimestampTrust:
    """Whom to believe about time; `crls`, as they count at `now`, say of whom no longer."""

    suites: Suites
    anchors: Sequence[Certificate]
    pool: Sequence[Certificate]
    crls: Sequence[RevocationList] = ()
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenResult:
    """`fault` names what is wrong with the token, empty if nothing; `trusted` needs a path to an anchor.

    `unknown_algorithm` is the OID of a signature that no suite of ours can verify: nothing is proved then.
    `nonce` is the DER INTEGER, empty for none; `authority` the DER certificate of who signed.
    """

    generated_at: datetime | None
    fault: str = ""
    trusted: bool = False
    serial: int = 0
    nonce: bytes = b""
    policy_oid: str = ""
    authority: bytes = b""
    unknown_algorithm: str = ""


def judge_token(data: bytes, stamped: bytes, trust: TimestampTrust) -> TokenResult:
    """Return whether `data` is a sound token over the digest of `stamped`, and whether its authority is trusted."""
    try:
        token = read_token(data)
    except DerError as error:
        return TokenResult(None, f"format: {error}")
    leaf = _leaf(token, trust.pool)
    if leaf is None:
        return _result(token, "certificate")
    suite = _suite(token, trust.suites)
    if suite is None:
        return replace(_result(token, ""), unknown_algorithm=token.algorithm)
    fault = _fault(token, leaf, stamped, suite)
    if fault:
        return _result(token, fault)
    pool = [*trust.pool, *_readable(token.certificates)]
    path = build_path(leaf, pool, trust.anchors, token.generated_at, trust.suites)
    if path.problem is not None and not path.problem.open_question:
        return _result(token, path.problem.value)
    if _revoked(path.certificates, token.generated_at, trust):
        return _result(token, "revoked")
    return _result(token, "", leaf, trusted=path.problem is None)


def _revoked(path: Sequence[Certificate], generated_at: datetime, trust: TimestampTrust) -> bool:
    """Return whether the authority, or a CA above it, was revoked before it made the token (RFC 3161 4)."""
    if not trust.crls or trust.now is None:
        return False
    revoked_at = revocation_of(path, trust.crls, trust.suites, trust.now).revoked_at
    return revoked_at is not None and revoked_at <= generated_at


def _result(
    token: Token, fault: str, leaf: Certificate | None = None, *, trusted: bool = False
) -> TokenResult:
    authority = leaf.raw if leaf else b""
    return TokenResult(
        token.generated_at, fault, trusted, token.serial, token.nonce, token.policy_oid, authority
    )


def _suite(token: Token, suites: Suites) -> Suite | None:
    return suites.by_signature(SM2_WITH_SM3 if token.algorithm == _SM2_SIGN else token.algorithm)


def _fault(token: Token, leaf: Certificate, stamped: bytes, suite: Suite) -> str:
    if token.signer_digest_oid != token.digest_oid:
        return "two digest methods"
    if suite.digest_oid != token.digest_oid or suite.curve_oid != leaf.curve_oid:
        return "algorithm"
    if token.imprint != suite.digest(stamped):
        return "imprint"
    if token.has_extensions:
        return "extensions"
    if _single(token, MESSAGE_DIGEST).body != suite.digest(token.info_raw):
        return "messageDigest"
    if der.oid(_single(token, CONTENT_TYPE)) != TST_INFO:
        return "contentType"
    if not _names_certificate(_single(token, SIGNING_CERTIFICATE), leaf, suite):
        return "signingCertificate"
    if leaf.extended_key_usage != _TIME_STAMPING or not leaf.extended_key_usage_is_critical:
        return "extKeyUsage"
    if not leaf.valid_at(token.generated_at):
        return "validity"
    if not leaf.may("digital_signature", "non_repudiation"):
        return "keyUsage"
    good = suite.verify(leaf.public_key, token.signature, token.attributes_set)
    return "" if good else "signature"


def _single(token: Token, oid: str) -> Tlv:
    """Return the one value of a signed attribute; an absent one compares unequal to everything."""
    return token.attributes.get(oid, der.read(der.write(der.OID, b"\x00")))


def _names_certificate(value: Tlv, leaf: Certificate, suite: Suite) -> bool:
    """Return whether ESSCertIDv2 holds the leaf's digest under the suite's algorithm; left out it is SHA-256."""
    try:
        method, digest = first_certificate_digest(value)
    except (DerError, IndexError):
        return False
    return (method or SHA256) == suite.digest_oid and digest == suite.digest(leaf.raw)


def _leaf(token: Token, pool: Sequence[Certificate]) -> Certificate | None:
    """Return the one certificate that the signer names; a token without certificates may be by one we know."""
    for known in (_readable(token.certificates), pool):
        found = {cert.raw: cert for cert in known if issuer_and_serial(cert) == token.issuer_serial}
        if found:
            return next(iter(found.values())) if len(found) == 1 else None
    return None


def _readable(certificates: Sequence[bytes]) -> list[Certificate]:
    found = []
    for data in certificates:
        try:
            found.append(read_certificate(data))
        except CertificateError:
            continue
    return found
