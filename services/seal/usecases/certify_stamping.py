"""Certify the keys of the time-stamping authority: the maker's part of time stamping."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.seal.domain.certificates import build_certificate, build_name, read_certificate
from services.seal.domain.pki import Credential
from services.seal.domain.stamping_keys import TIME_STAMPER, StampingRequest
from services.seal.domain.suite import Suite
from services.seal.usecases.ports import UnitOfWork

LIFETIME = timedelta(days=1_825)
_CLOCK_SLACK = timedelta(minutes=5)


class StampingDesk(Protocol):
    """Where the authority leaves its requests and finds its certificates."""

    def open_requests(self) -> Iterable[StampingRequest]:
        """Return the requests without a certificate; possession was proved."""
        ...

    def give(self, key_id: str, certificate: bytes) -> None:
        """Have the certificate where the authority finds it."""
        ...


@dataclass(frozen=True, slots=True)
class StampingIssuer:
    """The CA that certifies time-stamping keys of one suite."""

    suite: Suite
    ca: Credential


async def certify_stamping(
    unit: UnitOfWork, desk: StampingDesk, issuers: Mapping[str, StampingIssuer], sm3: Suite, now: datetime
) -> list[str]:
    """Certify every open request whose suite has an issuer (by the suite's name); return the key ids.

    Each certificate is among those that verifiers get before the authority can use it.
    """
    now = now.replace(microsecond=0)
    done = []
    for request in desk.open_requests():
        issuer = issuers.get(request.suite)
        if issuer is None:
            continue
        certificate = stamping_certificate(issuer, request, now)
        async with unit() as work:
            await work.trust.keep_certificate("tsa", sm3.digest(certificate).hex(), certificate)
        desk.give(request.key_id, certificate)
        done.append(request.key_id)
    return done


async def trust_stampers(unit: UnitOfWork, anchors: Iterable[bytes], sm3: Suite) -> None:
    """Have verifiers believe these anchors about time, and about nothing else; again changes nothing.

    Raises CertificateError for bytes that are no certificate.
    """
    found = [read_certificate(data).raw for data in anchors]
    async with unit() as work:
        for certificate in found:
            await work.trust.keep_certificate("tsa_anchor", sm3.digest(certificate).hex(), certificate)


def stamping_certificate(issuer: StampingIssuer, request: StampingRequest, now: datetime) -> bytes:
    """Return the certificate of a time-stamping key: for that and nothing else, never longer than its CA's."""
    ca = read_certificate(issuer.ca.certificate)
    return build_certificate(
        issuer.suite,
        issuer.suite.open_key(issuer.ca.private_key),
        ca.subject_raw,
        build_name("通办时间戳服务", "通办"),
        request.public_key,
        secrets.randbits(126) | 1 << 126,
        max(now - _CLOCK_SLACK, ca.not_before),
        min(now + LIFETIME, ca.not_after),
        TIME_STAMPER,
    )
