"""What the command line uses of certs without a running service: checks of QR codes, digests of registers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from chassis.auth import read_jwks
from services.certs.domain.importing import canonical
from services.certs.domain.presentation import (
    KIND,
    OFFLINE_KIND,
    Statement,
    Summary,
    check_offline,
    check_statement,
    jws_of,
    offline_jws_of,
    read_statement,
    read_summary,
)
from services.certs.rpc.summary_signer import read_signed


def verify_presentation_offline(qr_text: str, jwks_json: str, now: datetime) -> Summary:
    """Return what a presentation QR code proves without the network.

    ``jwks_json`` is what PresentationService.GetPresentationKeys answered some time before. That the
    code was not scanned elsewhere cannot be known offline.
    Raises PRESENTATION_MALFORMED, PRESENTATION_EXPIRED, SIGNATURE_WRONG.
    """
    claims = read_signed(jws_of(qr_text), read_jwks(jwks_json), KIND, now.timestamp)
    return check_offline(read_summary(claims), now)


def check_qr(qr_text: str, jwks_json: str, now: datetime) -> Statement:
    """Return what an offline QR code states, checked with a published key file and nothing else.

    Raises PRESENTATION_MALFORMED, OFFLINE_STATEMENT_EXPIRED, SIGNATURE_WRONG.
    """
    claims = read_signed(offline_jws_of(qr_text), read_jwks(jwks_json), OFFLINE_KIND, now.timestamp)
    return check_statement(read_statement(claims), now)


def digest_of_row(fields: Mapping[str, str]) -> tuple[str, date, bytes]:
    """Return type, day of issue and reconciliation digest of a register's row. Raises ValueError without them."""
    return canonical.digest_of_row(fields)


def day_totals(digests: Iterable[tuple[date, bytes]]) -> list[tuple[date, int, bytes]]:
    """Return day, count and hash of what a register has, for SourceService.ReconcileSource."""
    return [(each.day, each.count, each.hash) for each in canonical.totals(digests).values()]
