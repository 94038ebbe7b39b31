"""What a verifier knows besides the document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property

from services.seal.domain.certificates import Certificate, RevocationList, read_certificate, read_crl
from services.seal.domain.suite import Suites
from services.seal.domain.timestamps import TimestampTrust

SKEW = timedelta(minutes=5)


class SealState(Enum):
    """The state of a seal at a moment, as its register answers."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


SealStatusLookup = Callable[[str, datetime], SealState]


@dataclass(frozen=True)
class Evidence:
    """Trust anchors, other CA certificates and CRLs as DER; the seal register; the present.

    A seal is our own if its maker's certificate is among `own_makers`: then coverage is strict, and the register
    stands in for a timestamp. `recorded_at` answers when our ledger recorded a signature, by the suite's digest
    of its value; where it is given, only it vouches for time. `expected_signatures` is what the ledger knows of
    this document. `timestamp_anchors` are believed about time and about nothing else.
    """

    suites: Suites
    now: datetime
    anchors: tuple[bytes, ...] = ()
    intermediates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    own_makers: frozenset[bytes] = field(default_factory=frozenset)
    seal_status: SealStatusLookup | None = None
    recorded_at: Callable[[bytes], datetime | None] | None = None
    expected_signatures: int | None = None
    timestamp_anchors: tuple[bytes, ...] = ()

    @cached_property
    def anchor_certificates(self) -> tuple[Certificate, ...]:
        """The anchors, parsed."""
        return tuple(map(read_certificate, self.anchors))

    @cached_property
    def pool(self) -> tuple[Certificate, ...]:
        """The intermediates, parsed."""
        return tuple(map(read_certificate, self.intermediates))

    @cached_property
    def revocation_lists(self) -> tuple[RevocationList, ...]:
        """The CRLs, parsed."""
        return tuple(map(read_crl, self.crls))

    @cached_property
    def timestamp_trust(self) -> TimestampTrust:
        """Whom to believe about time."""
        further = tuple(map(read_certificate, self.timestamp_anchors))
        anchors = (*self.anchor_certificates, *further)
        return TimestampTrust(self.suites, anchors, self.pool, self.revocation_lists, self.now)
