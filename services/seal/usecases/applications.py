"""Apply for seals, decide on applications, withdraw them, read them and their pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chassis.clock import Clock
from chassis.errors import (
    ETAG_MISMATCH,
    FIELD_MALFORMED,
    FIELD_REQUIRED,
    Fault,
    Kind,
    Violation,
    declare,
    refuse,
)
from chassis.event import new_event_id
from services.seal.domain.application import (
    APPLICATION_NOT_FOUND,
    APPLICATION_OPEN,
    NOT_TO_REPLACE,
    SEAL_IN_USE,
    Application,
    ApplicationStatus,
    Verdict,
    Wish,
)
from services.seal.domain.imprint import as_picture, draw, read_upload
from services.seal.domain.kinds import PERSON_LABEL, RULES, design_of
from services.seal.domain.letters import Particulars, write_letter
from services.seal.domain.register import SEAL_NOT_FOUND, SealStatus
from services.seal.domain.structures import Picture, read_seal
from services.seal.domain.suite import Suite
from services.seal.usecases.application_ports import KeyRequest
from services.seal.usecases.ports import Signer, Work
from services.seal.usecases.read_register import page_limit
from services.seal.usecases.request_keys import applied, decided, make_keys

MAKER_UNKNOWN = declare(
    "SEAL_MAKER_UNKNOWN",
    Kind.UNAVAILABLE,
    "制章系统尚未就绪，暂不能申请个人名章",
    "The maker has not published its key yet; a person's seal cannot be applied for",
)

_FIELDS = {"image": "picture"}
"""Fields of an uploaded picture as a request calls them."""


@dataclass(frozen=True, slots=True)
class Office:
    """What deciding on applications takes: the suites a seal's keys are made in, the first its own, and the signer."""

    suites: Sequence[Suite]
    signer: Signer


async def apply_for_seal(
    work: Work, wish: Wish, clock: Clock, further: Sequence[Violation] = ()
) -> Application:
    """Enter an application; its picture is drawn, or checked, now, so that what is approved can be made.

    Raises INVALID_REQUEST naming every wrong field, SEAL_APPLICATION_OPEN, SEAL_ALREADY_IN_USE,
    SEAL_NOT_TO_REPLACE, SEAL_NOT_FOUND for the seal to replace, SEAL_MAKER_UNKNOWN.
    """
    wish.check(further)
    picture = await asyncio.to_thread(picture_of, wish)
    wish = replace(
        wish,
        picture=picture.data if wish.picture else b"",
        width_mm=picture.width_mm,
        height_mm=picture.height_mm,
    )
    await work.lock_making()
    index = work.applications.name_index(wish.kind, wish.name)
    application = Application(str(new_event_id()), wish, clock(), name_index=index)
    await _check_register(work, application)
    particulars = None
    if RULES[wish.kind].is_person:
        particulars = Particulars(wish.name, wish.picture)
        application = replace(application, letter=await _letter(work, application, particulars))
    await work.applications.add(application, particulars)
    work.publish(applied(application), application.version)
    return application


async def decide_application(
    work: Work, office: Office, application_id: str, etag: str, verdict: Verdict, clock: Clock
) -> Application:
    """Have the application approved, with its keys made, or rejected, by another person than the applicant.

    Raises SEAL_APPLICATION_NOT_FOUND, ETAG_MISMATCH, SEAL_APPLICATION_STEP, INVALID_REQUEST, SIGNER_UNAVAILABLE.
    """
    application = await _judge(work, application_id, etag, verdict, clock)
    if application.status is ApplicationStatus.APPROVED:
        await make_keys(work, application, office.suites, office.signer, clock())
    return application


async def withdraw_application(
    work: Work, application_id: str, etag: str, verdict: Verdict, clock: Clock
) -> Application:
    """Have the application withdrawn, unless its seal is made already. Raises as `decide_application` does."""
    await work.lock_making()  # the maker is not at work on it
    return await _judge(work, application_id, etag, verdict, clock)


async def list_applications(
    work: Work, owner_code: str | None, page_size: int, page_token: str
) -> tuple[Sequence[Application], str]:
    """Return applications, of one owner or of all, and the token of the next page."""
    limit = page_limit(page_size)
    found = await work.applications.page(owner_code, page_token, limit + 1)
    return found[:limit], found[limit - 1].application_id if len(found) > limit else ""


async def get_application(
    work: Work, application_id: str, owner_code: str | None
) -> tuple[Application, Sequence[KeyRequest]]:
    """Return an application and its keys' certificate requests. Raises SEAL_APPLICATION_NOT_FOUND, of another's too."""
    application = await work.applications.get(application_id)
    if application is None or owner_code not in {None, application.wish.owner_code}:
        raise APPLICATION_NOT_FOUND()
    return application, await work.keys.of_application(application_id)


async def seal_picture(work: Work, seal_id: str, owner_code: str | None) -> Picture:
    """Return the picture of a seal. Raises SEAL_NOT_FOUND, of another's too."""
    seal = await work.seals.get(seal_id)
    material = await work.seals.material(seal_id)
    if seal is None or material is None or owner_code not in {None, seal.owner_code}:
        raise SEAL_NOT_FOUND()
    return read_seal(material.ses_seal).picture


def picture_of(wish: Wish) -> Picture:
    """Return the picture of the seal applied for: the uploaded one, checked, or one drawn from the name.

    Raises INVALID_REQUEST naming the field that cannot be shown; what a person is called is not repeated.
    """
    rule = RULES[wish.kind]
    try:
        if wish.picture:
            return read_upload(wish.picture, wish.width_mm or rule.width_mm, wish.height_mm or rule.height_mm)
        return as_picture(draw(design_of(wish.kind, wish.name, wish.line, wish.number)))
    except Fault as fault:
        if fault.kind not in {Kind.INVALID_ARGUMENT, Kind.FAILED_PRECONDITION}:
            raise
        if rule.is_person and not wish.picture:
            refuse([FIELD_MALFORMED.at("name")])
        named = [
            replace(each, field_path=_FIELDS.get(each.field_path, each.field_path))
            for each in fault.violations
        ]
        refuse(named or [fault.reason.at("name", **fault.metadata)])
        raise


async def _check_register(work: Work, application: Application) -> None:
    wish = application.wish
    if await work.applications.has_open(application):
        raise APPLICATION_OPEN()
    stored = PERSON_LABEL if RULES[wish.kind].is_person else wish.name
    if await work.seals.in_use(wish.owner_code, wish.kind, stored, application.name_index):
        raise SEAL_IN_USE()
    if not wish.replaces:
        return
    old = await work.seals.get(wish.replaces)
    if old is None or old.owner_code != wish.owner_code:
        raise SEAL_NOT_FOUND()
    if old.status is not SealStatus.LOST or old.kind is not wish.kind or old.replaced_by:
        raise NOT_TO_REPLACE()


async def _judge(work: Work, application_id: str, etag: str, verdict: Verdict, clock: Clock) -> Application:
    refuse([] if etag else [FIELD_REQUIRED.at("etag")])
    application = await work.applications.get(application_id, lock=True)
    if application is None:
        raise APPLICATION_NOT_FOUND()
    if etag != application.etag:
        raise ETAG_MISMATCH()
    judged = application.judged(verdict, clock())
    await work.applications.save(judged)
    work.publish(decided(judged), judged.version)
    return judged


async def _letter(work: Work, application: Application, particulars: Particulars) -> bytes:
    key = await work.applications.letter_key()
    if key is None:
        raise MAKER_UNKNOWN()
    return write_letter(key, application.application_id, particulars)
