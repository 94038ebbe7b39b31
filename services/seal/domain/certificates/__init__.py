"""X.509 certificates and revocation lists for SM2 and P-256: no library validates SM2 paths, so this one does."""

from __future__ import annotations

from services.seal.domain.certificates.building import (
    Profile,
    build_certificate,
    build_crl,
    build_name,
)  # fmt: skip
from services.seal.domain.certificates.model import (
    Certificate,
    CertificateError,
    RevocationList,
    read_certificate,
    read_crl,
)  # fmt: skip
from services.seal.domain.certificates.path import Path, PathProblem, build_path
from services.seal.domain.certificates.revocation import Revocation, revocation_of

__all__ = [
    "Certificate",
    "CertificateError",
    "Path",
    "PathProblem",
    "Profile",
    "Revocation",
    "RevocationList",
    "build_certificate",
    "build_crl",
    "build_name",
    "build_path",
    "read_certificate",
    "read_crl",
    "revocation_of",
]
