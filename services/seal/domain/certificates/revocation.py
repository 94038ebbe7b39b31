"""What the known CRLs say of a path; a list that is stale, unsigned or not understood says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from services.seal.domain.certificates.model import Certificate, RevocationList
from services.seal.domain.suite import Suites, verify_once


@dataclass(frozen=True, slots=True)
class Revocation:
    """`known`: every certificate below the anchor is covered; `revoked_at`: the earliest revocation among them."""

    known: bool
    revoked_at: datetime | None


def revocation_of(
    path: Sequence[Certificate], crls: Sequence[RevocationList], suites: Suites, now: datetime
) -> Revocation:
    """Return what the CRLs say of every certificate of the path but its anchor."""
    known = True
    moments: list[datetime] = []
    for certificate, issuer in pairwise(path):
        usable = [crl for crl in crls if _speaks(crl, issuer, suites, now)]
        known = known and bool(usable)
        moments += [crl.revoked[certificate.serial] for crl in usable if certificate.serial in crl.revoked]
    return Revocation(known, min(moments, default=None))


def _speaks(crl: RevocationList, issuer: Certificate, suites: Suites, now: datetime) -> bool:
    if crl.issuer_raw != issuer.subject_raw or crl.unknown_critical or not issuer.may("crl_sign"):
        return False
    if crl.this_update > now or crl.next_update is None or crl.next_update < now:
        return False
    suite = suites.by_signature(crl.algorithm)
    if suite is None or suite.curve_oid != issuer.curve_oid:
        return False
    return verify_once(suite, issuer.public_key, crl.signature, crl.tbs_raw)
