"""Make, file and start the seals that were approved: the maker's job.

Runs in a process of its own, with keys the signing side never sees (国办发〔2025〕33号: making apart from signing).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import Fault, Kind
from events.seal import SealMade, SealStatusChanged
from services.seal.domain.application import NOT_TO_REPLACE, Application, ApplicationStatus
from services.seal.domain.certificates import build_certificate, read_certificate
from services.seal.domain.certificates.building import SIGNER
from services.seal.domain.kinds import PERSON_LABEL, RULES, SealKind
from services.seal.domain.letters import LETTER_UNREADABLE, Particulars, open_letter, write_reply
from services.seal.domain.register import Change, HistoryEntry, RegisteredSeal, SealStatus, due
from services.seal.domain.sealing import make_seal
from services.seal.domain.structures import Picture, SealFields, StructureError, read_seal
from services.seal.domain.suite import Suite, Suites
from services.seal.usecases.application_ports import KeyRequest
from services.seal.usecases.applications import picture_of
from services.seal.usecases.import_certificates import check_imported
from services.seal.usecases.issue_lists import issue_lists, keep_certificates
from services.seal.usecases.ports import Authority, SealCredential, UnitOfWork, Work
from services.seal.usecases.request_keys import SEAL_KEY_UNPROVED, check_possession, subject_of
from services.seal.usecases.workshop import CLOCK_SLACK, Companion, Letters, Workshop

__all__ = ["Companion", "Letters", "Making", "Workshop", "issue_lists", "make_seals", "work_waits"]

VENDOR = "tongban"


@dataclass(frozen=True, slots=True)
class Making:
    """What a run did: ids of the new seals, codes of authorities that nothing was approved for, refusals by application."""

    made: tuple[str, ...]
    waiting: tuple[str, ...]
    refused: Mapping[str, str]


async def make_seals(
    unit: UnitOfWork, workshop: Workshop, authorities: Sequence[Authority], now: datetime
) -> Making:
    """Have a started seal for every approved application with keys; again changes nothing.

    Each seal is one transaction: a run that breaks off is continued by the next, and an application that cannot
    be made (SEAL_KEY_UNPROVED, SEAL_NOT_TO_REPLACE, …) keeps no other from being made.
    Raises what may pass, as PEER_UNAVAILABLE.
    """
    now = now.replace(microsecond=0)  # what certificates and seals can say
    async with unit() as work:
        await work.lock_making()
        await keep_certificates(work, workshop)
        await work.seals.adopt(lambda ses_seal: _is_own(workshop, ses_seal))
        ready = [each for each in await work.applications.approved() if await _is_ready(work, each)]
    made: list[str] = []
    refused: dict[str, str] = {}
    for application in ready:
        try:
            made += await _make_one(unit, workshop, application, now)
        except Fault as fault:
            if fault.kind is Kind.UNAVAILABLE:
                raise
            refused[application.application_id] = fault.code
    async with unit() as work:
        waiting = [each.code for each in authorities if due(await work.seals.of_owner(each.code))]
    return Making(tuple(made), tuple(waiting), refused)


async def work_waits(work: Work) -> bool:
    """Say whether the maker is wanted: an approved application can be made, or a seal's state changed after the lists."""
    if await work.seals.changed_since_list():
        return True
    return any([await _is_ready(work, each) for each in await work.applications.approved()])


async def _is_ready(work: Work, application: Application) -> bool:
    """Say whether the keys are there, and the certificates where they come from elsewhere."""
    if not await work.keys.of_application(application.application_id):
        return False
    return not application.wish.external or bool(
        await work.applications.certificates(application.application_id)
    )


async def _make_one(
    unit: UnitOfWork, workshop: Workshop, application: Application, now: datetime
) -> Iterable[str]:
    particulars = _particulars(workshop, application)
    wish = application.wish
    if particulars is not None:
        wish = replace(wish, name=particulars.name, picture=particulars.picture)
    picture = await asyncio.to_thread(picture_of, wish)
    async with unit() as work:
        await work.lock_making()
        found = await work.applications.get(application.application_id)
        if found is None or found.state is not ApplicationStatus.APPROVED:
            return ()
        return (await _make(work, workshop, application, wish.name, particulars, picture, now),)


async def _make(
    work: Work,
    workshop: Workshop,
    application: Application,
    name: str,
    particulars: Particulars | None,
    picture: Picture,
    now: datetime,
) -> str:
    wish, keys = application.wish, await _proved_keys(work, workshop, application)
    certificates = await _certificates(work, workshop, application, keys, now)
    main = keys[workshop.suite.name]
    certificate = certificates[main.suite]
    number = await work.seals.count_in(wish.division) + 1
    read = read_certificate(certificate)
    seal = RegisteredSeal(
        seal_id=f"{wish.division}{number:08d}",
        owner_code=wish.owner_code,
        name=PERSON_LABEL if RULES[wish.kind].is_person else wish.name,
        certificate=certificate,
        valid_from=max(now, read.not_before),
        valid_until=min(read.not_after, now + workshop.seal_lifetime),
        status=SealStatus.MADE,
        since=now,
        version=1,
        kind=wish.kind,
        filing_number=f"{wish.division}{now:%Y}{number:06d}",
        application_id=application.application_id,
        replaces=wish.replaces,
        name_index=application.name_index,
        picture_sha256=hashlib.sha256(picture.data).hexdigest(),
        width_mm=picture.width_mm,
        height_mm=picture.height_mm,
    )
    ses_seal = _ses_seal(workshop, seal, name, picture, now)
    if particulars is not None:
        ses_seal = write_reply(particulars.reply_key, seal.seal_id, ses_seal)
    if wish.replaces:
        await _end_replaced(work, application, seal.seal_id, now)
    entry = HistoryEntry(
        1, seal.status, now, now, f"制章：{wish.reason}", workshop.operator, _approver(application)
    )
    await work.seals.add(seal, entry, main.key_id, ses_seal)
    for suite, request in keys.items():
        if suite != main.suite and suite in certificates:
            credential = SealCredential(seal.seal_id, suite, request.key_id, certificates[suite])
            await work.seals.add_credential(credential)
    work.publish(
        SealMade(seal_id=seal.seal_id, owner_code=seal.owner_code, made_at=now, valid_until=seal.valid_until),
        seal.version,
    )
    await _start(work, workshop, seal, now)
    return seal.seal_id


async def _start(work: Work, workshop: Workshop, seal: RegisteredSeal, now: datetime) -> None:
    """File the seal under its number and start it, each a state of its own."""
    steps = ((SealStatus.FILED, f"备案 {seal.filing_number}"), (SealStatus.ACTIVE, "启用"))
    for status, reason in steps:
        seal = await _change(work, seal, Change(status, reason, workshop.operator), now)


async def _end_replaced(work: Work, application: Application, seal_id: str, now: datetime) -> None:
    """End the lost seal in the transaction that makes the new one; applicant and approver stand for it."""
    old = await work.seals.get(application.wish.replaces, lock=True)
    if old is None or old.status is not SealStatus.LOST or old.owner_code != application.wish.owner_code:
        raise NOT_TO_REPLACE()
    change = Change(
        SealStatus.REMADE,
        f"重制为 {seal_id}：{application.wish.reason}",
        application.wish.operator,
        _approver(application),
        application.wish.account,
    )
    await _change(work, old, change, now)


async def _change(work: Work, seal: RegisteredSeal, change: Change, now: datetime) -> RegisteredSeal:
    changed, entry = seal.changed(change, now)
    await work.seals.save(changed, entry)
    event = SealStatusChanged(
        seal_id=seal.seal_id, previous=seal.status, status=changed.status, changed_at=entry.since
    )
    work.publish(event, changed.version)
    return changed


async def _proved_keys(work: Work, workshop: Workshop, application: Application) -> dict[str, KeyRequest]:
    """Return the application's keys by suite. Raises SEAL_KEY_UNPROVED."""
    known = {suite.name: suite for suite in workshop.suites}
    found = {each.suite: each for each in await work.keys.of_application(application.application_id)}
    keys = {name: request for name, request in found.items() if name in known}
    for name, request in keys.items():
        if request.owner_code != application.wish.owner_code:
            raise SEAL_KEY_UNPROVED(owner_code=application.wish.owner_code)
        check_possession(known[name], request)
    if workshop.suite.name not in keys:
        raise SEAL_KEY_UNPROVED(owner_code=application.wish.owner_code)
    return keys


async def _certificates(
    work: Work, workshop: Workshop, application: Application, keys: Mapping[str, KeyRequest], now: datetime
) -> dict[str, bytes]:
    """Return a certificate by suite: the imported ones, or fresh ones of the maker's authorities."""
    if not application.wish.external:
        subject = subject_of(application)
        return {
            suite.name: _certify(workshop, suite, subject, keys[suite.name].public_key, now)
            for suite in workshop.suites
            if suite.name in keys
        }
    found = {}
    for suite, imported in (await work.applications.certificates(application.application_id)).items():
        if suite not in keys:
            continue
        check_imported(imported, keys[suite], Suites(workshop.suites), await work.trust.bundle(now), now)
        for each in imported.chain:
            await work.trust.keep_certificate("authority", workshop.fingerprint(each), each)
        found[suite] = imported.certificate
    if workshop.suite.name not in found:
        raise SEAL_KEY_UNPROVED(owner_code=application.wish.owner_code)
    return found


def _certify(workshop: Workshop, suite: Suite, subject: bytes, public_key: bytes, now: datetime) -> bytes:
    authority = workshop.signer_ca(suite)
    issuer = read_certificate(authority.certificate)
    return build_certificate(
        suite,
        suite.open_key(authority.private_key),
        issuer.subject_raw,
        subject,
        public_key,
        secrets.randbits(126) | 1 << 126,
        max(now - CLOCK_SLACK, issuer.not_before),
        min(now + workshop.seal_lifetime, issuer.not_after),
        SIGNER,
    )


def _ses_seal(workshop: Workshop, seal: RegisteredSeal, name: str, picture: Picture, now: datetime) -> bytes:
    fields = SealFields(
        vendor_id=VENDOR,
        seal_id=seal.seal_id,
        kind=RULES[seal.kind].ses_type,
        name=name,
        certificates=(seal.certificate,),
        created_at=now,
        valid_from=seal.valid_from,
        valid_until=seal.valid_until,
        picture=picture,
    )
    return make_seal(workshop.suite, workshop.maker_key, workshop.pki.maker.certificate, fields)


def _particulars(workshop: Workshop, application: Application) -> Particulars | None:
    if application.wish.kind is not SealKind.PERSONAL:
        return None
    if workshop.letters is None:
        raise LETTER_UNREADABLE(about=application.application_id)
    return open_letter(workshop.letters.private_key, application.application_id, application.letter)


def _approver(application: Application) -> str:
    return application.decided.operator if application.decided else ""


def _is_own(workshop: Workshop, ses_seal: bytes) -> bool:
    """Return whether the maker itself made a seal."""
    try:
        seal = read_seal(ses_seal)
    except StructureError:
        return False
    if seal.maker_certificate != workshop.pki.maker.certificate:
        return False
    return workshop.suite.verify(workshop.maker_key.public_key, seal.signature, seal.signed_input)
