"""May this package be sealed? What it must be, and what the signatures it carries must still prove."""

from __future__ import annotations

from enum import Enum

from chassis.errors import Kind, declare
from services.seal.domain import ofd
from services.seal.domain.suite import Suite, Suites
from services.seal.domain.verification.package_steps import check_coverage, check_references
from services.seal.domain.verification.report import CheckName, Findings, Result
from services.seal.domain.verification.signature_steps import (
    certificate_of,
    check_binding,
    check_signature,
    read_value,
)

OFD_REFUSED = declare(
    "OFD_REFUSED", Kind.INVALID_ARGUMENT, "OFD 文件不符合要求：{why}", "The OFD document is refused: {why}"
)
OFD_ALREADY_SEALED = declare(
    "OFD_ALREADY_SEALED",
    Kind.FAILED_PRECONDITION,
    "文件已整体保护，不能再签章",
    "The document was sealed as a whole; no seal may follow",
)
OFD_SIGNATURE_BROKEN = declare(
    "OFD_SIGNATURE_BROKEN",
    Kind.FAILED_PRECONDITION,
    "文件已有的签章未通过验证（{check}：{why}），不能再签章",
    "A signature that the document carries does not hold ({check}: {why}); it takes no further seal",
)
OFD_TOO_MANY_SIGNATURES = declare(
    "OFD_TOO_MANY_SIGNATURES",
    Kind.FAILED_PRECONDITION,
    "文件签章数已达上限 {limit}",
    "The document carries the most signatures allowed, {limit}",
)
_MUST_HOLD = (CheckName.REFERENCES, CheckName.DIGESTS, CheckName.SIGNATURE, CheckName.CERTLIST)


class Protect(Enum):
    """Whether another seal may follow (保护模式): whole protects the list of signatures, continue leaves it open."""

    WHOLE = "whole"
    CONTINUE = "continue"


def open_for_sealing(
    document: bytes, suite: Suite, maker: bytes
) -> tuple[ofd.Package, ofd.DocumentView, list[ofd.SignatureFile]]:
    """Return the package, what it shows, and the signatures it carries, each proved to be still whole.

    `maker` is the DER certificate that made the seal about to be used: signatures with seals of the same maker are
    held to strict coverage, as a verifier will.

    Raises:
        OFD_REFUSED: The package is not strictly sound, or names files it does not hold.
        OFD_ALREADY_SEALED: One of its signatures protects the list of signatures.
        OFD_TOO_MANY_SIGNATURES: It carries as many as may be.
        OFD_SIGNATURE_BROKEN: A protected file, or a signature itself, is not as it was signed, or cannot be judged
            with this suite; or something was added that the signature does not protect.
    """
    try:
        package = ofd.read_package(document)
        view = ofd.view_document(package)
        carried = [
            _sound(file) for file in ofd.read_signature_files(package, [e.path for e in view.signatures])
        ]
    except (ofd.PackageError, ofd.XmlError) as error:
        raise OFD_REFUSED(why=error) from None
    if view.problems or view.dangling or view.bodies != 1:
        raise OFD_REFUSED(why=next(iter(view.problems or sorted(view.dangling)), "DocBody"))
    listed = set(view.signature_lists)
    if any(not listed.isdisjoint(file.protected) for file in carried):
        raise OFD_ALREADY_SEALED()
    if len(carried) >= ofd.LIMITS.signatures:
        raise OFD_TOO_MANY_SIGNATURES(limit=ofd.LIMITS.signatures)
    for index in range(len(carried)):
        _refuse_broken(package, view, carried, index, suite, maker)
    return package, view, carried


def _sound(file: ofd.SignatureFile | ofd.XmlError) -> ofd.SignatureFile:
    if isinstance(file, ofd.XmlError):
        raise file
    return file


def _refuse_broken(
    package: ofd.Package,
    view: ofd.DocumentView,
    carried: list[ofd.SignatureFile],
    index: int,
    suite: Suite,
    maker: bytes,
) -> None:
    """Let no seal stand on a signature that fails where anybody can see it without trust in a certificate."""
    file, suites, findings = carried[index], Suites([suite]), Findings()
    value = read_value(package, file, findings)
    check_references(package, file, suites, suite, findings)
    if value is not None:
        check_signature(value, certificate_of(value.certificate), file, suites, findings)
        check_binding(value, file, package, suites, findings)
    is_own = value is not None and value.seal.maker_certificate == maker
    check_coverage(package, view, carried, index, is_own, findings)
    for check in findings.checks((*_MUST_HOLD, CheckName.COVERAGE)):
        is_open_abroad = check.name is CheckName.COVERAGE and check.result is Result.INDETERMINATE
        if check.result is not Result.VALID and not is_open_abroad:
            raise OFD_SIGNATURE_BROKEN(check=check.name.value, why=check.reason)
