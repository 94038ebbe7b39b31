"""Make, file and start the seals of authorities, and sign the lists verifiers rely on: the maker's job.

Runs in a process of its own, with keys the signing side never sees (国办发〔2025〕33号: making apart from signing).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.seal import SealMade, SealStatusChanged
from services.seal.domain.certificates import build_certificate, build_name, read_certificate
from services.seal.domain.certificates.building import SIGNER
from services.seal.domain.imprint import round_seal
from services.seal.domain.pki import DevelopmentPki, make_crl
from services.seal.domain.register import (
    Change,
    HistoryEntry,
    RegisteredSeal,
    SealStatus,
    due,
    for_verifiers,
)
from services.seal.domain.sealing import make_seal
from services.seal.domain.status_list import make_status_list
from services.seal.domain.structures import Picture, SealFields
from services.seal.domain.suite import Suite
from services.seal.usecases.ports import Authority, IssuedList, KeyRequest, UnitOfWork, Work
from services.seal.usecases.request_keys import check_possession

VENDOR = "tongban"
ORGANISATION_SEAL = 1
"""SES_ESPropertyInfo.type: the seal of an organisation."""
_CLOCK_SLACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Workshop:
    """The maker's keys and rules; `operator` is entered in the history as who made, filed and started a seal."""

    suite: Suite
    pki: DevelopmentPki
    operator: str
    seal_lifetime: timedelta
    list_lifetime: timedelta

    def fingerprint(self, certificate: bytes) -> str:
        """Return the hex digest by which a certificate is known."""
        return self.suite.digest(certificate).hex()


@dataclass(frozen=True, slots=True)
class Making:
    """What a run did: ids of the new seals, and codes of authorities whose key was not requested yet."""

    made: tuple[str, ...]
    waiting: tuple[str, ...]


async def make_seals(
    unit: UnitOfWork, workshop: Workshop, authorities: Sequence[Authority], now: datetime
) -> Making:
    """Have a started seal for every authority that is due one; again changes nothing.

    Each seal is one transaction: a run that breaks off is continued by the next.
    Raises SEAL_KEY_UNPROVED, SEAL_NAME_TOO_LONG, GLYPH_MISSING.
    """
    now = now.replace(microsecond=0)  # what certificates and seals can say
    made, waiting = [], []
    for authority in authorities:
        async with unit() as work:
            if not due(await work.seals.of_owner(authority.code)):
                continue
            if await work.keys.open_request(authority.code) is None:
                waiting.append(authority.code)
                continue
        picture = await asyncio.to_thread(round_seal, authority.seal_name)
        async with unit() as work:
            seal_id = await _make(work, workshop, authority, picture, now)
        if seal_id:
            made.append(seal_id)
    return Making(tuple(made), tuple(waiting))


async def issue_lists(unit: UnitOfWork, workshop: Workshop, now: datetime) -> None:
    """Publish the certificates, fresh revocation lists and a fresh seal-status list.

    Certificates of lost, remade and cancelled seals are revoked from the moment that state counts.
    """
    now = now.replace(microsecond=0)
    pki = workshop.pki
    async with unit() as work:
        await work.lock_making()
        await _keep_certificates(work, workshop)
        ended = await work.seals.ended_certificates()
        for authority in (pki.root, pki.maker_ca, pki.signer_ca):
            issuer = workshop.fingerprint(authority.certificate)
            number = await work.trust.last_number(issuer) + 1
            revoked = ended if authority is pki.signer_ca else {}
            crl = make_crl(workshop.suite, authority, revoked, number, now, workshop.list_lifetime)
            issued = IssuedList(number, crl, now - _CLOCK_SLACK, now + workshop.list_lifetime)
            await work.trust.keep_list(issuer, "crl", issued)
        await _issue_status_list(work, workshop, now)


async def _make(
    work: Work, workshop: Workshop, authority: Authority, picture: Picture, now: datetime
) -> str | None:
    await work.lock_making()
    request = await work.keys.open_request(authority.code)
    if request is None or not due(await work.seals.of_owner(authority.code)):
        return None
    check_possession(workshop.suite, request)
    certificate = _certify(workshop, authority, request, now)
    until = read_certificate(certificate).not_after
    number = await work.seals.count_in(authority.division) + 1
    seal_id = f"{authority.division}{number:08d}"
    ses_seal = make_seal(
        workshop.suite,
        workshop.suite.open_key(workshop.pki.maker.private_key),
        workshop.pki.maker.certificate,
        SealFields(
            vendor_id=VENDOR,
            seal_id=seal_id,
            kind=ORGANISATION_SEAL,
            name=authority.seal_name,
            certificates=(certificate,),
            created_at=now,
            valid_from=now,
            valid_until=until,
            picture=picture,
        ),
    )
    seal = RegisteredSeal(
        seal_id, authority.code, authority.seal_name, certificate, now, until, SealStatus.MADE, now, 1
    )
    entry = HistoryEntry(1, seal.status, now, now, "制章", workshop.operator)
    await work.seals.add(seal, entry, request.key_id, ses_seal)
    event = SealMade(seal_id=seal_id, owner_code=authority.code, made_at=now, valid_until=until)
    work.publish(event, seal.version)
    await _start(work, workshop, seal, now)
    return seal_id


async def _start(work: Work, workshop: Workshop, seal: RegisteredSeal, now: datetime) -> None:
    """File the seal and start it, each a state of its own."""
    for status, reason in ((SealStatus.FILED, "备案"), (SealStatus.ACTIVE, "启用")):
        previous = seal.status
        seal, entry = seal.changed(Change(status, reason, workshop.operator), now)
        await work.seals.save(seal, entry)
        work.publish(
            SealStatusChanged(seal_id=seal.seal_id, previous=previous, status=status, changed_at=now),
            seal.version,
        )


def _certify(workshop: Workshop, authority: Authority, request: KeyRequest, now: datetime) -> bytes:
    issuer = read_certificate(workshop.pki.signer_ca.certificate)
    return build_certificate(
        workshop.suite,
        workshop.suite.open_key(workshop.pki.signer_ca.private_key),
        issuer.subject_raw,
        build_name(authority.seal_name, authority.name),
        request.public_key,
        secrets.randbits(126) | 1 << 126,
        max(now - _CLOCK_SLACK, issuer.not_before),
        min(now + workshop.seal_lifetime, issuer.not_after),
        SIGNER,
    )


async def _keep_certificates(work: Work, workshop: Workshop) -> None:
    pki = workshop.pki
    roles = (
        ("anchor", pki.root),
        ("authority", pki.maker_ca),
        ("authority", pki.signer_ca),
        ("maker", pki.maker),
        ("status", pki.status),
    )
    for role, credential in roles:
        fingerprint = workshop.fingerprint(credential.certificate)
        await work.trust.keep_certificate(role, fingerprint, credential.certificate)


async def _issue_status_list(work: Work, workshop: Workshop, now: datetime) -> None:
    suite, signer = workshop.suite, workshop.pki.status
    histories = {
        seal_id: [(for_verifiers(entry.status), entry.since) for entry in history]
        for seal_id, history in (await work.seals.histories()).items()
    }
    until = now + workshop.list_lifetime
    data = make_status_list(
        suite, suite.open_key(signer.private_key), signer.certificate, now, until, histories
    )
    issuer = workshop.fingerprint(signer.certificate)
    number = await work.trust.last_number(issuer) + 1
    await work.trust.keep_list(issuer, "status", IssuedList(number, data, now, until))
