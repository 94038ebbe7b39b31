"""Archive packages: the signed manifest, the digest of every entry, and every signature inside."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from joserfc.jwk import KeySet

from chassis.auth import verify_document
from chassis.errors import Fault
from cli.verification.containers import written_again
from cli.verification.receipts import RECEIPT_KIND, judge_signed, read_keys
from cli.verification.report import Check, Judged, Report, judged, refused, worst

MANIFEST, RECEIPT = "manifest.jws", "receipt.jws"
MANIFEST_KIND = "archive-manifest"
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    OSError,
    EOFError,
    OverflowError,
    LookupError,
    RuntimeError,  # an encrypted entry, or a method that zipfile has no code for
)
"""What `zipfile` raises for content that is no package."""
MAX_ENTRIES, MAX_BYTES = 10_000, 512 * 1024 * 1024
_DIGESTS = ("sm3", "sha256")

VerifySealed = Callable[[str, bytes], Report]


def verify_archive(name: str, content: bytes, trust: Path, verify_sealed: VerifySealed) -> Report:
    """Judge a package: nothing missing, nothing added, nothing changed, and every inner signature."""
    try:
        entries = _entries(content)
    except UNREADABLE as problem:
        return refused("archive", name, "PACKAGE_UNREADABLE", str(problem))
    keys = read_keys(trust)
    manifest = _judge_manifest(entries, keys)
    inner: list[Judged] = []
    if RECEIPT in entries:
        signed = entries[RECEIPT].decode("utf-8", "replace")
        inner.append(judge_signed(signed, RECEIPT_KIND, keys, of=RECEIPT))
    for entry in sorted(entries):
        if entry.endswith(".ofd") and entry.startswith("results/"):
            inner += _judge_sealed(entry, entries[entry], verify_sealed)
    signatures = (manifest, *inner)
    return Report("archive", worst(each.verdict for each in signatures), signatures)


def _entries(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        infos = package.infolist()
        names = [info.filename for info in infos]
        if len(names) != len(set(names)):
            raise ValueError("an entry stands in the package twice")
        if len(infos) > MAX_ENTRIES or sum(info.file_size for info in infos) > MAX_BYTES:
            raise ValueError("the package is too large")
        found = {info.filename: package.read(info) for info in infos}
    if written_again(content, infos) != content:
        raise ValueError("the container is not as the archive wrote it")
    return found


def _judge_manifest(entries: Mapping[str, bytes], keys: KeySet | None) -> Judged:
    signed = entries[MANIFEST].decode("utf-8", "replace")
    signature = judge_signed(signed, MANIFEST_KIND, keys, of=MANIFEST)
    if keys is None or signature.verdict != "VALID":
        return signature
    try:
        manifest = verify_document(signed, keys, kind=MANIFEST_KIND)
        checks = list(_digest_checks(entries, manifest))
    except (Fault, KeyError, TypeError, ValueError) as problem:
        checks = [Check("entries", "invalid", f"the manifest is malformed: {problem}", "MANIFEST_MALFORMED")]
    return judged(MANIFEST, "intake", [*signature.checks, *checks])


def _digest_checks(entries: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Iterator[Check]:
    listed = {str(each["name"]): each for each in manifest["files"]}
    present = set(entries) - {MANIFEST}
    gone, added = sorted(set(listed) - present), sorted(present - set(listed))
    if gone:
        yield Check("entries", "invalid", f"缺少 | missing: {', '.join(gone)}", "ENTRY_MISSING")
    if added:
        yield Check("entries", "invalid", f"多出 | not listed: {', '.join(added)}", "ENTRY_NOT_LISTED")
    if not gone and not added:
        yield Check("entries", "valid", f"{len(listed)}")
    for name in sorted(present & set(listed)):
        if not _holds(entries[name], listed[name]):
            yield Check("digest", "invalid", name, "DIGEST_DIFFERS")
    yield Check("digest", "valid", "SM3, SHA-256")


def _holds(content: bytes, listed: Mapping[str, Any]) -> bool:
    return all(hashlib.new(kind, content).hexdigest() == listed[kind] for kind in _DIGESTS)


def _judge_sealed(entry: str, content: bytes, verify_sealed: VerifySealed) -> tuple[Judged, ...]:
    report = verify_sealed(entry, content)
    if report.signatures:
        return report.signatures
    return (judged(entry, "", [Check("signature", "invalid", report.verdict, "RESULT_NOT_SEALED")]),)
