"""Publish certificates, revocation lists, seal states and the PDF certificates of seals: what verifiers rely on."""

from __future__ import annotations

from datetime import datetime

from services.seal.domain.certificates import CertificateError, read_certificate, read_crl
from services.seal.domain.companion_list import make_companion_list
from services.seal.domain.pki import make_crl
from services.seal.domain.register import for_verifiers
from services.seal.domain.status_list import make_status_list
from services.seal.usecases.ports import IssuedList, UnitOfWork, Work
from services.seal.usecases.workshop import CLOCK_SLACK, Workshop


async def issue_lists(unit: UnitOfWork, workshop: Workshop, now: datetime) -> None:
    """Publish the certificates, fresh revocation lists, and fresh lists of PDF certificates and of seal states.

    Certificates of lost, remade and cancelled seals are revoked from the moment that state counts.
    """
    now = now.replace(microsecond=0)
    async with unit() as work:
        await work.lock_making()
        await keep_certificates(work, workshop)
        ended = await work.seals.ended_certificates()
        for suite, authority in workshop.authorities():
            revoked = {each: at for each, at in ended.items() if workshop.certified_here(each, authority)}
            issuer = workshop.fingerprint(authority.certificate)
            number = await work.trust.last_number(issuer) + 1
            crl = make_crl(suite, authority, revoked, number, now, workshop.list_lifetime)
            issued = IssuedList(number, crl, now - CLOCK_SLACK, now + workshop.list_lifetime)
            await work.trust.keep_list(issuer, "crl", issued)
        await _keep_others_lists(work, workshop, now)
        await _issue_companion_list(work, workshop, now)
        await _issue_status_list(work, workshop, now)


async def keep_certificates(work: Work, workshop: Workshop) -> None:
    """Have the maker's certificates, its key for letters and the anchors of others published."""
    pki, companion = workshop.pki, workshop.companion
    roles = [
        ("anchor", pki.root.certificate),
        ("authority", pki.maker_ca.certificate),
        ("authority", pki.signer_ca.certificate),
        ("maker", pki.maker.certificate),
        ("status", pki.status.certificate),
    ]
    if companion is not None:
        roles.append(("anchor", companion.pki.root.certificate))
        roles.append(("authority", companion.pki.signer_ca.certificate))
    roles += [("anchor", each) for each in workshop.anchors]
    for role, certificate in roles:
        await work.trust.keep_certificate(role, workshop.fingerprint(certificate), certificate)
    if workshop.letters is not None:
        signature = workshop.letter_signature(workshop.letters)
        await work.applications.keep_letter_key(workshop.letters.public_key, signature)


async def _keep_others_lists(work: Work, workshop: Workshop, now: datetime) -> None:
    """Publish the revocation lists of other authorities that are known here; numbered as they come."""
    bundle = await work.trust.bundle(now)
    known = {read_certificate(each).subject_raw: each for each in (*bundle.anchors, *bundle.certificates)}
    for data in workshop.crls:
        try:
            crl = read_crl(data)
        except CertificateError:
            continue
        issuer = known.get(crl.issuer_raw)
        if issuer is None or crl.next_update is None or data in bundle.crls:
            continue
        fingerprint = workshop.fingerprint(issuer)
        number = await work.trust.last_number(fingerprint) + 1
        issued = IssuedList(number, data, crl.this_update, crl.next_update)
        await work.trust.keep_list(fingerprint, "crl", issued)


async def _issue_companion_list(work: Work, workshop: Workshop, now: datetime) -> None:
    """Keep it under a lower number than the status list: services of 0006 take an issuer's highest for that."""
    suite, signer = workshop.suite, workshop.pki.status
    until = now + workshop.list_lifetime
    data = make_companion_list(
        suite,
        suite.open_key(signer.private_key),
        signer.certificate,
        now,
        until,
        await work.seals.companions(),
    )
    issuer = workshop.fingerprint(signer.certificate)
    number = await work.trust.last_number(issuer) + 1
    await work.trust.keep_list(issuer, "companion", IssuedList(number, data, now, until))


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
