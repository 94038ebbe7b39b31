"""Steps D, V and N: what the signature protects, what it leaves open, where it stamps."""

from __future__ import annotations

import base64
import binascii
import posixpath
from collections import Counter

from services.seal.domain import imprint
from services.seal.domain.ofd import DocumentView, Package, SignatureFile
from services.seal.domain.structures import Picture
from services.seal.domain.suite import SHA256, SM3, Suite, Suites
from services.seal.domain.verification import causes
from services.seal.domain.verification.report import CheckName, Findings

_SM3_NAMES = frozenset({SM3, f"{SM3}.1", f"{SM3}.2", "SM3"})
_SHA256_NAMES = frozenset({SHA256, "SHA256", "SHA-256"})
_WEAK_NAMES = frozenset({"MD5", "SHA1", "SHA-1", "1.2.840.113549.2.5", "1.3.14.3.2.26"})


def check_references(
    package: Package, file: SignatureFile, suites: Suites, signature_suite: Suite | None, findings: Findings
) -> frozenset[str]:
    """D1 and D2: the digest method is sound; every reference names one file, once, and its digest is equal.

    Returned are the files whose digest is equal.
    """
    counts = Counter(reference.path for reference in file.references)
    wrong = [
        reference.stated
        for reference in file.references
        if not reference.exists or counts[reference.path] > 1
    ]
    values = {reference.path: _value(reference.check_value) for reference in file.references}
    wrong += [path for path, value in values.items() if value is None]
    suite = _digest_suite(file, suites, signature_suite, findings)
    if wrong or not file.references:
        findings.invalid(CheckName.REFERENCES, causes.REFERENCE, "、".join(wrong))
    if suite is None:
        findings.unsettled(CheckName.DIGESTS, causes.NOT_RUN)
        return frozenset()
    findings.passed(CheckName.REFERENCES)
    changed = [
        path
        for path, value in values.items()
        if path in package and value and package.digest(path, suite) != value
    ]
    if changed:
        findings.invalid(CheckName.DIGESTS, causes.DIGEST, "、".join(changed))
    return frozenset(path for path, value in values.items() if path in package and value).difference(changed)


def _digest_suite(
    file: SignatureFile, suites: Suites, signature_suite: Suite | None, findings: Findings
) -> Suite | None:
    """Return the suite of the CheckMethod; SHA-256 belongs to the ECDSA suite alone."""
    method = (file.check_method or "").strip().upper()
    if not method or method in _WEAK_NAMES:
        findings.invalid(CheckName.REFERENCES, causes.WEAK_DIGEST, method or "MD5")
        return None
    oid = SM3 if method in _SM3_NAMES else SHA256 if method in _SHA256_NAMES else ""
    suite = suites.by_digest(oid)
    if suite is None or (oid == SHA256 and suite is not signature_suite):
        findings.unsettled(CheckName.REFERENCES, causes.OTHER_DIGEST, method)
        return None
    return suite


def _value(text: str) -> bytes | None:
    try:
        value = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == 32 else None


def check_coverage(
    package: Package,
    view: DocumentView,
    files: list[SignatureFile],
    index: int,
    is_own: bool,
    findings: Findings,
) -> None:
    """D3 and D4: all that a reader can reach is referenced, and nothing in the package belongs to nothing.

    A signature may leave out its own files, the list of signatures (continue mode), and the files of signatures
    made later. Which of two is the later one is told by the bytes: it protects the other's Signature.xml and value.
    """
    referenced = files[index].protected
    listed = {entry.path for entry in view.signatures}
    own = files[index]
    later = [file for file in files if _protects(file, own)]
    earlier = _own_files([file for file in files if file is not own and file not in later])
    allowed = _own_files([own, *later]).union(view.signature_lists, listed - {file.path for file in files})
    open_content = sorted(view.reachable - referenced | earlier - referenced - allowed)
    if open_content:
        judge = findings.invalid if is_own else findings.unsettled
        judge(CheckName.COVERAGE, causes.COVERAGE, "、".join(open_content))
    strays = package.names - view.reachable - referenced - earlier - allowed
    folders = {posixpath.dirname(file.path) for file in files} - {""}
    private = {name for name in strays if posixpath.dirname(name) in folders}
    if not is_own and private:
        findings.note(
            "签名目录中有私有文件", "Private files in a signature's directory", "、".join(sorted(private))
        )
        strays -= private
    if strays:
        findings.invalid(CheckName.COVERAGE, causes.UNREFERENCED_MEMBER, "、".join(sorted(strays)))
    findings.passed(CheckName.COVERAGE)
    for name in view.dangling_named:
        findings.note("文件中指向的位置不存在", "A location named in the document does not exist", name)


def _protects(later: SignatureFile, earlier: SignatureFile) -> bool:
    """Return whether one signature references the other's file and value, and so was made after it."""
    return earlier.path in later.protected and earlier.signed_value_path in later.protected


def _own_files(files: list[SignatureFile]) -> set[str]:
    paths = [(file.path, file.signed_value_path, file.seal_path) for file in files]
    return {path for each in paths for path in each if path is not None}


def check_stamps(
    view: DocumentView, file: SignatureFile, picture: Picture, is_own: bool, findings: Findings
) -> None:
    """V1: every stamp lies on a page that exists and its picture decodes; for foreign documents only a note."""
    faults = [
        stamp.page_id
        for stamp in file.stamps
        if stamp.page_id not in view.pages or not stamp.lies_on(view.pages[stamp.page_id])
    ]
    if not imprint.decodes(picture):
        faults.append(picture.kind)
    if faults and is_own:
        findings.invalid(CheckName.REFERENCES, causes.STAMP, "、".join(faults))
    elif faults:
        findings.note(causes.STAMP.zh, causes.STAMP.en, "、".join(faults))
    sizes = {(stamp.box_mm[2], stamp.box_mm[3]) for stamp in file.stamps}
    if sizes - {(float(picture.width_mm), float(picture.height_mm))}:
        findings.note("印章显示尺寸与印模尺寸不同", "The stamp is not shown at the picture's size")
