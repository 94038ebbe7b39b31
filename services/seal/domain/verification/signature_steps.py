"""Steps T, B and S1–S2: the signature value, its tie to the seal, and the seal's own signature and dates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from services.seal.domain.certificates import Certificate, CertificateError, read_certificate
from services.seal.domain.ofd import LIMITS, Package, SignatureFile
from services.seal.domain.structures import (
    NotASeal,
    Seal,
    SealedValue,
    StructureError,
    VersionMismatch,
    read_sealed_value,
)
from services.seal.domain.suite import SM3, Suite, Suites, verify_once
from services.seal.domain.verification import causes
from services.seal.domain.verification.report import CheckName, Findings

_MISTYPED = frozenset(
    {"1.2.156.10197.501"}
)  # a known writer's slip for SM2 with SM3: wrong, not merely unknown


def read_value(package: Package, file: SignatureFile, findings: Findings) -> SealedValue | None:
    """T1 and T2: SignedValue.dat parses strictly and states one generation."""
    data = package[file.signed_value_path]
    if len(data) > LIMITS.signed_value_bytes:
        findings.invalid(CheckName.SIGNATURE, causes.FORMAT, "too large")
        return None
    try:
        return read_sealed_value(data)
    except NotASeal as error:
        findings.unsettled(CheckName.SIGNATURE, causes.NOT_A_SEAL, error)
    except VersionMismatch as error:
        findings.invalid(CheckName.SIGNATURE, causes.VERSION, error)
    except StructureError as error:
        findings.invalid(CheckName.SIGNATURE, causes.FORMAT, error)
    return None


def certificate_of(data: bytes) -> Certificate | None:
    """Return the certificate, or None where it cannot be read."""
    try:
        return read_certificate(data)
    except CertificateError:
        return None


def check_signature(
    value: SealedValue, signer: Certificate | None, file: SignatureFile, suites: Suites, findings: Findings
) -> Suite | None:
    """T3, T4 and T5: the algorithm fits the key, dataHash is that of Signature.xml, the signature verifies."""
    suite = _verify(
        CheckName.SIGNATURE, value.algorithm, signer, (value.signature, value.tbs_raw), suites, findings
    )
    if suite is None:
        return None
    if value.data_hash != suite.digest(file.data):
        findings.invalid(CheckName.DIGESTS, causes.DATA_HASH, file.path)
    findings.passed(CheckName.DIGESTS)
    return suite


def check_binding(
    value: SealedValue, file: SignatureFile, package: Package, suites: Suites, findings: Findings
) -> None:
    """B1 and B2: the seal lists the signer's certificate, and Seal.esl is the seal inside the signature."""
    if not _listed(value.seal, value.certificate, suites):
        findings.invalid(CheckName.CERTLIST, causes.SIGNER_NOT_IN_SEAL)
    if file.seal_path is not None and package[file.seal_path] != value.seal.raw:
        findings.invalid(CheckName.CERTLIST, causes.SEAL_MISMATCH, file.seal_path)
    findings.passed(CheckName.CERTLIST)


def _listed(seal: Seal, certificate: bytes, suites: Suites) -> bool:
    if certificate in seal.certificates:
        return True
    suite = suites.by_digest(SM3)
    names = {"SM3", SM3}
    return suite is not None and any(
        name.upper() in names and digest == suite.digest(certificate)
        for name, digest in seal.certificate_digests
    )


def check_seal(
    seal: Seal, at: datetime | None, maker: Certificate | None, suites: Suites, findings: Findings
) -> None:
    """S1 and S2: the maker signed the seal, and it was valid at the stated time."""
    signed = (seal.signature, seal.signed_input)
    _verify(CheckName.SEAL_SIGNATURE, seal.algorithm, maker, signed, suites, findings)
    name = CheckName.SEAL_VALIDITY
    if seal.valid_from >= seal.valid_until:
        findings.invalid(name, causes.SEAL_VALIDITY)
    if at is None:
        findings.unsettled(name, causes.NO_STATED_TIME)
        return
    if not max(seal.valid_from, seal.created_at) <= at <= seal.valid_until:
        findings.invalid(
            name, causes.SEAL_VALIDITY, f"{seal.valid_from:%Y-%m-%d} – {seal.valid_until:%Y-%m-%d}"
        )
    findings.passed(name)


def _verify(
    name: CheckName,
    algorithm: str,
    certificate: Certificate | None,
    signed: Sequence[bytes],
    suites: Suites,
    findings: Findings,
) -> Suite | None:
    """T3 then the signature itself, with the reason of whichever of the two signatures this is."""
    failure = causes.SIGNATURE if name is CheckName.SIGNATURE else causes.SEAL_SIGNATURE
    suite = suites.by_signature(algorithm)
    if suite is None:
        judge = findings.invalid if algorithm in _MISTYPED else findings.unsettled
        judge(name, causes.ALGORITHM_MISMATCH if algorithm in _MISTYPED else causes.SUITE, algorithm)
        return None
    if certificate is None:
        findings.invalid(name, causes.FORMAT, "certificate")
        return suite
    verify = partial(verify_once, suite) if name is CheckName.SEAL_SIGNATURE else suite.verify
    if certificate.curve_oid != suite.curve_oid:
        findings.invalid(name, causes.ALGORITHM_MISMATCH, certificate.curve_oid)
    elif not verify(certificate.public_key, signed[0], signed[1]):
        findings.invalid(name, failure)
    findings.passed(name)
    return suite


def note_oddities(value: SealedValue, file: SignatureFile, findings: Findings) -> None:
    """N: statements outside the signed value that contradict it."""
    if value.property_info.lstrip("/") != file.path:
        findings.note("propertyInfo 与签名文件路径不一致", "propertyInfo is not the path of Signature.xml")
    if any(extension.critical for extension in value.seal.extensions):
        findings.note("印章含有未识别的关键扩展", "The seal has a critical extension that is not understood")
    if file.signature_method != value.algorithm:
        findings.note("SignatureMethod 与签名算法不一致", "SignatureMethod is not the algorithm used")
    if value.signed_at is not None and not _near(file.signature_date_time, value):
        findings.note("SignatureDateTime 与签章时间相差较大", "SignatureDateTime is far from the signed time")


def _near(stated: str, value: SealedValue) -> bool:
    """Return whether the digits of a written time are within a day of timeInfo: zones are written at will."""
    digits = "".join(char for char in stated if char.isdigit())[:8]
    days = (
        {(value.signed_at + timedelta(days=step)).strftime("%Y%m%d") for step in (-1, 0, 1)}
        if value.signed_at
        else ()
    )
    return digits in days
