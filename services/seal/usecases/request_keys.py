"""Make the key pairs of approved applications: the signing side's part of making a seal.

The private half is opened by the signer alone; the maker sees the public half and the proof, and a certification
authority a request for a certificate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

from chassis.errors import Kind, declare
from chassis.event import new_event_id
from events.seal import SealApplicationDecided, SealApplied
from services.seal.domain.application import Application, ApplicationStatus, Verdict, Wish
from services.seal.domain.certificates import build_name
from services.seal.domain.certificates.requests import build_request
from services.seal.domain.kinds import RULES, SealKind
from services.seal.domain.register import due
from services.seal.domain.suite import Suite
from services.seal.usecases.application_ports import KeyRequest
from services.seal.usecases.ports import Authority, Signer, UnitOfWork, Work

SEAL_KEY_UNPROVED = declare(
    "SEAL_KEY_UNPROVED",
    Kind.FAILED_PRECONDITION,
    "{owner_code} 的密钥申请未通过持有证明",
    "The key request of {owner_code} does not prove possession of the key",
)
CATALOGUE_REASON = "事项目录所列发证机关"
"""Why the catalogue's authorities get their seals."""
APPLICANT, APPROVER = "seal-keys", "catalogue"


async def request_keys(
    unit: UnitOfWork,
    suite: Suite,
    signer: Signer,
    authorities: Iterable[Authority],
    now: datetime,
    companion: Suite | None = None,
) -> list[KeyRequest]:
    """Have an approved application with keys for every authority that is due its official seal.

    The catalogue approves them. Returns the new keys; again changes nothing.
    Raises SIGNER_UNAVAILABLE, SIGNATURE_WRONG.
    """
    made: list[KeyRequest] = []
    suites = [suite, companion] if companion else [suite]
    async with unit() as work:
        await work.lock_making()
        for authority in authorities:
            if not due(await work.seals.of_owner(authority.code)):
                continue
            application = _application(authority, now)
            if not await work.applications.has_open(application):
                made += await _enter(work, application, suites, signer, now)
    return made


async def make_keys(
    work: Work, application: Application, suites: Sequence[Suite], signer: Signer, now: datetime
) -> list[KeyRequest]:
    """Have a key in each suite for an application that was approved. Raises SIGNER_UNAVAILABLE, SIGNATURE_WRONG."""
    made = []
    for suite in suites:
        request, wrapped = await asyncio.to_thread(_new_key, suite, signer, application)
        await work.keys.add(request, wrapped, now)
        made.append(request)
    return made


def check_possession(suite: Suite, request: KeyRequest) -> None:
    """Refuse a request whose sender does not hold the private key. Raises SEAL_KEY_UNPROVED."""
    said = _statement(request.key_id, request.owner_code, request.public_key)
    if not suite.accepts_key(request.public_key) or not suite.verify(request.public_key, request.proof, said):
        raise SEAL_KEY_UNPROVED(owner_code=request.owner_code)


def subject_of(application: Application) -> bytes:
    """Return the DER name that a certificate for the application's seal is to state; never a person's."""
    wish = application.wish
    if RULES[wish.kind].is_person:
        return build_name(f"个人名章 {application.application_id}", wish.owner_name)
    return build_name(wish.name, wish.owner_name)


def applied(application: Application) -> SealApplied:
    """Return the event of a fresh application."""
    return SealApplied(
        application_id=application.application_id,
        owner_code=application.wish.owner_code,
        kind=application.wish.kind.value,
        applied_at=application.applied_at,
    )


def decided(application: Application) -> SealApplicationDecided:
    """Return the event of an application that was approved, rejected or withdrawn."""
    assert application.decided_at is not None, "it was decided"
    return SealApplicationDecided(
        application_id=application.application_id,
        owner_code=application.wish.owner_code,
        outcome=application.status.value,
        decided_at=application.decided_at,
    )


async def _enter(
    work: Work, application: Application, suites: Sequence[Suite], signer: Signer, now: datetime
) -> list[KeyRequest]:
    approved = application.judged(
        Verdict(ApplicationStatus.APPROVED, CATALOGUE_REASON, APPROVER, application.wish.account), now
    )
    await work.applications.add(approved, None)
    work.publish(applied(application), application.version)
    work.publish(decided(approved), approved.version)
    return await make_keys(work, approved, suites, signer, now)


def _application(authority: Authority, now: datetime) -> Application:
    rule = RULES[SealKind.OFFICIAL]
    wish = Wish(
        kind=SealKind.OFFICIAL,
        owner_code=authority.code,
        owner_name=authority.name,
        division=authority.division,
        name=authority.seal_name,
        reason=CATALOGUE_REASON,
        operator=APPLICANT,
        account="job/make-keys",
        width_mm=rule.width_mm,
        height_mm=rule.height_mm,
    )
    return Application(str(new_event_id()), wish, now)


def _new_key(suite: Suite, signer: Signer, application: Application) -> tuple[KeyRequest, bytes]:
    key_id, owner_code = str(new_event_id()), application.wish.owner_code
    made = signer.generate(suite.name, key_id)
    key = signer.open(suite.name, key_id, made.wrapped_key, made.public_key)
    request = KeyRequest(
        key_id,
        owner_code,
        made.public_key,
        key.sign(_statement(key_id, owner_code, made.public_key)),
        suite.name,
        application.application_id,
        build_request(suite, key, subject_of(application)),
    )
    return request, made.wrapped_key


def _statement(key_id: str, owner_code: str, public_key: bytes) -> bytes:
    return f"tongban seal key request 1|{key_id}|{owner_code}|".encode() + public_key
