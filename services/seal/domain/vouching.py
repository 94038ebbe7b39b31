"""What the maker signs of the register: each row in one form that stays, so that an altered row is told.

The maker has no keyed codes of the signing side's; it vouches with its own key instead, and the signing side
checks that on every reading. What the signing side writes carries its keyed code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.seal.domain.certificates import Certificate, CertificateError, read_certificate
from services.seal.domain.register import HistoryEntry, RegisteredSeal
from services.seal.domain.suite import Suites, verify_once


@dataclass(frozen=True, slots=True)
class Makers:
    """The maker certificates of a register, ready to judge what is said to be theirs."""

    suites: Suites
    certificates: tuple[Certificate, ...]

    @staticmethod
    def of(suites: Suites, certificates: Iterable[bytes]) -> Makers:
        """Return the makers; bytes that are no certificate are none."""
        return Makers(suites, tuple(_readable(certificates)))

    def vouched(self, signature: bytes | None, statement: bytes) -> bool:
        """Return whether one of the makers signed the statement."""
        if not signature:
            return False
        return any(
            suite is not None and verify_once(suite, maker.public_key, signature, statement)
            for maker in self.certificates
            for suite in (self.suites.by_signature(maker.algorithm),)
        )


def seal_statement(seal: RegisteredSeal, key_id: str, ses_sha256: str) -> bytes:
    """Return what is signed of a seal: all that never changes; its bytes by their SHA-256 in hex."""
    return _statement(
        "seal",
        seal.seal_id,
        seal.owner_code,
        seal.kind.value,
        seal.name,
        seal.name_index.hex(),
        seal.filing_number,
        seal.application_id,
        seal.replaces,
        key_id,
        hashlib.sha256(seal.certificate).hexdigest(),
        ses_sha256,
        seal.picture_sha256,
        str(seal.width_mm),
        str(seal.height_mm),
        _moment(seal.valid_from),
        _moment(seal.valid_until),
    )


def credential_statement(seal_id: str, suite: str, key_id: str, certificate: bytes) -> bytes:
    """Return what is signed of a companion credential."""
    return _statement("credential", seal_id, suite, key_id, hashlib.sha256(certificate).hexdigest())


def entry_statement(seal_id: str, entry: HistoryEntry) -> bytes:
    """Return what is signed of one state of a seal."""
    return _statement(
        "history",
        seal_id,
        str(entry.version),
        entry.status.value,
        _moment(entry.since),
        _moment(entry.changed_at),
        entry.reason,
        entry.operator,
        entry.second_person,
        entry.account,
    )


def _readable(certificates: Iterable[bytes]) -> Iterable[Certificate]:
    for data in certificates:
        try:
            yield read_certificate(data)
        except CertificateError:
            continue


def _statement(*parts: str) -> bytes:
    values: Sequence[str] = ("tongban seal register 1", *parts)
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
