"""Whether a certificate of a real certification authority may serve a seal: every fault of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.errors import Kind, Reason, Violation, declare
from services.seal.domain.certificates import Certificate, CertificateError, build_path, read_certificate
from services.seal.domain.suite import Suite, Suites


def _rule(code: str, zh: str, en: str) -> Reason:
    return declare(code, Kind.INVALID_ARGUMENT, zh, en)


UNREADABLE = _rule("CERTIFICATE_UNREADABLE", "证书无法解析", "The certificate cannot be read")
OTHER_KEY = _rule(
    "CERTIFICATE_OTHER_KEY",
    "证书公钥与申请的密钥不一致",
    "The certificate is of another key than the request's",
)
NOT_VALID = _rule(
    "CERTIFICATE_NOT_VALID",
    "证书有效期为 {not_before} 至 {not_after}，当前无效",
    "The certificate is valid from {not_before} to {not_after}, not now",
)
USAGE = _rule(
    "CERTIFICATE_USAGE",
    "证书不是签名用途的用户证书",
    "The certificate is not one of an end user for digital signatures",
)
PATH = _rule(
    "CERTIFICATE_PATH", "证书链不能验证到可信根：{why}", "The chain does not lead to an anchor: {why}"
)


def faults_of(
    certificate: bytes,
    chain: Sequence[bytes],
    public_key: bytes,
    suite: Suite,
    suites: Suites,
    anchors: Sequence[bytes],
    now: datetime,
    field: str = "certificate",
) -> list[Violation]:
    """Return everything that is wrong with a certificate for a key, and the chain that came with it."""
    faults, pool = [], []
    for number, each in enumerate(chain):
        try:
            pool.append(read_certificate(each))
        except CertificateError:
            faults.append(UNREADABLE.at(f"{field}.chain[{number}]"))
    try:
        leaf = read_certificate(certificate)
    except CertificateError:
        return [UNREADABLE.at(field), *faults]
    return [
        *faults,
        *_leaf_faults(leaf, public_key, suite, now, field),
        *_path_faults(leaf, pool, anchors, suites, now, field),
    ]


def _leaf_faults(
    leaf: Certificate, public_key: bytes, suite: Suite, now: datetime, field: str
) -> list[Violation]:
    faults = []
    if leaf.public_key != public_key or leaf.curve_oid != suite.curve_oid:
        faults.append(OTHER_KEY.at(field))
    if not leaf.valid_at(now):
        faults.append(NOT_VALID.at(field, not_before=leaf.not_before, not_after=leaf.not_after))
    if leaf.is_ca or not leaf.may("digital_signature", "non_repudiation"):
        faults.append(USAGE.at(field))
    return faults


def _path_faults(
    leaf: Certificate,
    pool: Sequence[Certificate],
    anchors: Sequence[bytes],
    suites: Suites,
    now: datetime,
    field: str,
) -> list[Violation]:
    path = build_path(leaf, pool, [read_certificate(each) for each in anchors], now, suites)
    return [] if path.problem is None else [PATH.at(field, why=path.problem.value)]
