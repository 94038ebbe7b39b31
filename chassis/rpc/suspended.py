"""Callers that an operator has shut out: a file that every server reads again for each call.

One caller a line, ``department/11361103MB0000001A``, or one of its keys by the SHA-256 of its
certificate, ``certificate/<64 hex digits>``; what follows the first word is a note. A certificate of
our authority stays good for TLS until it ends, so this list is what shuts a department out before.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

from chassis.errors import Kind, declare
from chassis.fresh import FreshFiles
from chassis.logs import get_logger
from chassis.rpc.peer import IDENTITY_NAME, PEER_KINDS, Peer

CALLER_SUSPENDED = declare(
    "CALLER_SUSPENDED",
    Kind.PERMISSION_DENIED,
    "该调用方已被暂停接入，请联系平台运维",
    "This caller has been suspended; ask the operators of the platform",
)
_SUBJECT = re.compile(rf"(?:{'|'.join(PEER_KINDS)})/{IDENTITY_NAME}|certificate/[0-9a-f]{{64}}")

log = get_logger(__name__)


def is_subject(text: str) -> bool:
    """Say whether a text names a caller or a certificate in the form of the file."""
    return _SUBJECT.fullmatch(text) is not None


def read_suspended(path: Path) -> frozenset[str]:
    """Return the subjects of a file; a line that names none is told in the log, the others hold. Raises OSError."""
    words = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    named = [each[0] for each in words if each and not each[0].startswith("#")]
    wrong = sum(not is_subject(each) for each in named)
    if wrong:
        log.error("suspended_caller_not_understood", file=path.name, lines=wrong)
    return frozenset(filter(is_subject, named))


class SuspendedCallers:
    """Who is shut out now. While there never was a file nobody is; one that vanishes goes on to hold."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FreshFiles[frozenset[str]] | None = None

    def holds(self, peer: Peer, properties: Mapping[str, Iterable[bytes]]) -> bool:
        """Say whether a caller, or the certificate of its connection, is suspended at this moment."""
        named = self._named()
        if not named:
            return False
        return str(peer) in named or any(f"certificate/{each}" in named for each in _fingerprints(properties))

    def _named(self) -> frozenset[str]:
        if self._file is None:
            try:
                self._file = FreshFiles([self._path], self._read, look_every_seconds=0)
            except FileNotFoundError:
                return frozenset()
        return self._file.current()

    def _read(self) -> frozenset[str]:
        return read_suspended(self._path)


def fingerprint(certificate_pem: str) -> str:
    """Return the SHA-256 of a certificate as it stands in the file. Raises ValueError for no PEM."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate_pem)).hexdigest()


def _fingerprints(properties: Mapping[str, Iterable[bytes]]) -> list[str]:
    names = {"x509_pem_cert", b"x509_pem_cert"}  # gRPC's types say str, and some versions mean bytes
    found = (value for name, values in properties.items() if name in names for value in values)
    return [fingerprint(each.decode("ascii")) for each in found]
