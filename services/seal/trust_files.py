"""A trust bundle as a directory, for verifying without a network.

``anchors/*.der|pem``, ``certificates/*.der|pem`` (of authorities and makers), ``crls/*.crl``, ``status-list.der``,
``companion-list.der`` (which PDF certificates belong to which seal), ``timestamp_anchors/*.der|pem`` (of authorities
that are believed about time only), ``own_makers.txt`` (one hex SM3 fingerprint a line).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from asn1crypto import pem

from chassis.errors import Kind, declare
from services.seal.domain.certificates import CertificateError, read_certificate
from services.seal.usecases.ports import TrustBundle

_pem: Any = pem  # asn1crypto is untyped
_STATUS_LIST, _COMPANION_LIST, _OWN_MAKERS = "status-list.der", "companion-list.der", "own_makers.txt"
TRUST_FILES_UNREADABLE = declare(
    "TRUST_FILES_UNREADABLE",
    Kind.FAILED_PRECONDITION,
    "信任文件无法读取：{file}",
    "A trust file cannot be read: {file}",
)


def write_trust_files(directory: Path, bundle: TrustBundle) -> None:
    """Have the bundle in the directory; lists and certificates of an earlier bundle are replaced."""
    _replace(directory / "anchors", ".der", bundle.anchors)
    _replace(directory / "certificates", ".der", bundle.certificates)
    _replace(directory / "crls", ".crl", bundle.crls)
    _replace(directory / "timestamp_anchors", ".der", bundle.timestamp_anchors)
    (directory / _STATUS_LIST).write_bytes(bundle.status_list)
    (directory / _COMPANION_LIST).write_bytes(bundle.companion_list)
    (directory / _OWN_MAKERS).write_text("".join(f"{each}\n" for each in bundle.own_makers), encoding="ascii")


def read_trust_files(directory: Path) -> TrustBundle:
    """Return the bundle of a directory; what is absent is empty. Raises TRUST_FILES_UNREADABLE."""
    if not directory.is_dir():
        raise TRUST_FILES_UNREADABLE(file=directory.name)
    own_makers = directory / _OWN_MAKERS
    try:
        return TrustBundle(
            anchors=tuple(read_folder(directory / "anchors")),
            certificates=tuple(read_folder(directory / "certificates")),
            crls=tuple(read_folder(directory / "crls")),
            status_list=_list(directory / _STATUS_LIST),
            own_makers=tuple(own_makers.read_text("ascii").split()) if own_makers.is_file() else (),
            timestamp_anchors=tuple(read_folder(directory / "timestamp_anchors")),
            companion_list=_list(directory / _COMPANION_LIST),
        )
    except (OSError, UnicodeDecodeError) as problem:
        raise TRUST_FILES_UNREADABLE(file=directory.name) from problem


def read_certificates(folder: Path) -> list[bytes]:
    """Return the DER certificates of a directory. Raises TRUST_FILES_UNREADABLE."""
    if not folder.is_dir():
        raise TRUST_FILES_UNREADABLE(file=folder.name)
    found = list(read_folder(folder))
    try:
        for data in found:
            read_certificate(data)
    except CertificateError as problem:
        raise TRUST_FILES_UNREADABLE(file=folder.name) from problem
    return found


def read_folder(folder: Path) -> Iterable[bytes]:
    """Yield the certificates and lists of a folder as DER. Raises TRUST_FILES_UNREADABLE."""
    for path in sorted(folder.glob("*")):
        if path.suffix not in {".der", ".crl", ".pem", ".crt", ".cer"}:
            continue
        data = path.read_bytes()
        if _pem.detect(data):
            try:
                data = _pem.unarmor(data)[2]
            except ValueError as problem:
                raise TRUST_FILES_UNREADABLE(file=path.name) from problem
        yield data


def _list(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _replace(folder: Path, suffix: str, contents: Iterable[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(f"*{suffix}"):
        path.unlink()
    for data in contents:
        (folder / f"{hashlib.sha256(data).hexdigest()[:16]}{suffix}").write_bytes(data)
