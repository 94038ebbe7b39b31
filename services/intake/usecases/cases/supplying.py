"""Supply the materials: licences found across counties first, else the ways out the catalogue offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

import uuid_utils.compat

from chassis.auth.person import ActingPerson
from chassis.errors import FIELD_REQUIRED, Fault, Kind, refuse
from services.intake.domain.cases.case import Case
from services.intake.domain.cases.issuing import taken_over
from services.intake.domain.cases.materials import (
    AGREEMENT_REQUIRED,
    FILE_LIMIT_BYTES,
    LICENCE_NOT_ACCEPTED,
    BoundUseCode,
    Supplied,
    SupplyKind,
    allowed_supplies,
    give_word,
    require_file_type,
    require_licence,
    require_need,
)
from services.intake.domain.cases.part import Part
from services.intake.domain.cases.plan import require_level
from services.intake.domain.catalogue.guide import MaterialNeed
from services.intake.domain.catalogue.items import MaterialHolder
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.entrustment import ENTRUSTMENT_NOT_COVERING
from services.intake.usecases.cases.holders import Holders, Source, case_with_holders, require_in_force
from services.intake.usecases.cases.ports import (
    Files,
    FoundLicence,
    Licences,
    OpenWork,
    UseCodeOrder,
)
from services.intake.usecases.cases.record import load_to_act, record
from services.intake.usecases.uploads import UPLOAD_TOO_LARGE

USE_CODE_LIFETIME = timedelta(days=120)
"""Longer than a joint procedure of 45 + 15 working days; certs allows at most 180 days."""
FILE_NAME_LIMIT = 120


@dataclass(frozen=True, slots=True)
class MaterialOptions:
    """One line of the material list with everything the applicant can do about it."""

    need: MaterialNeed
    allowed: tuple[SupplyKind, ...]
    supplied: Supplied | None
    candidates: tuple[FoundLicence, ...] = ()
    registry_unavailable: bool = False
    """The registry could not be asked just now; the other ways stay open."""


@dataclass(frozen=True, slots=True)
class SupplyChoice:
    """What the applicant chose for a material other than an upload."""

    kind: SupplyKind
    agreed: bool
    licence_id: str = ""
    consent_version: str = ""
    entrustment_id: str = ""
    """Of a licence: the entrustment under which it is another's; in a case begun under one that one is meant."""


async def find_material_licences(
    open_work: OpenWork, licences: Licences, actor: ActingPerson, case_id: str, entrustment_id: str = ""
) -> tuple[MaterialOptions, ...]:
    """Return the material list with the licences of every county that replace each, masked.

    Each look-up leaves a usage record at the registry; there is none, and no candidates, once nothing
    can be supplied any more: the purpose is gone. With an entrustment to whom the actor acts for, also its
    grantor's licences, as far as it covers them; in a case begun under one that is so anyway. An entrustment
    that is over is refused by the registry, on record for its grantor. Raises CASE_NOT_FOUND,
    ENTRUSTMENT_NOT_FOUND, ENTRUSTMENT_NOT_IN_FORCE, ENTRUSTMENT_NOT_COVERING and what the registry answers.
    """
    async with open_work() as work:
        case, holders = await case_with_holders(work, actor, case_id, entrustment_id)
        now = work.now()
    found: dict[MaterialHolder, Sequence[FoundLicence] | None] = {}
    for holder in {need.material.holder for need in case.plan.needs if _replaceable(need)}:
        found[holder] = await _ask_registry(licences, case, holders, holder) if case.editable else ()
    require_in_force(holders, now)
    return tuple(_options(case, need, found.get(need.material.holder)) for need in case.plan.needs)


async def choose_supply(
    open_work: OpenWork,
    licences: Licences,
    catalogue: Catalogue,
    actor: ActingPerson,
    case_id: str,
    material_code: str,
    choice: SupplyChoice,
) -> Case:
    """Supply a material by a licence, a promise (告知承诺) or a tolerance (容缺受理).

    A licence gets one use-code (用证码) for each part that needs the material, bound to that part's
    department, item, case and face fields. Raises INVALID_REQUEST without agreement, MATERIAL_UNKNOWN,
    MATERIAL_NOT_ASKED, SUPPLY_NOT_ALLOWED, LICENCE_NOT_ACCEPTED, CASE_NOT_FOUND, CASE_NOT_EDITABLE,
    REAL_NAME_LEVEL_TOO_LOW, ENTRUSTMENT_NOT_FOUND, ENTRUSTMENT_NOT_IN_FORCE, ENTRUSTMENT_NOT_COVERING
    and what the registry refuses an entrustment for.
    """
    async with open_work() as work:
        case, holders = await case_with_holders(work, actor, case_id, choice.entrustment_id)
        require_level(case.plan, actor.assurance)  # before a use-code is asked for
        now = work.now()
    need = require_need(case.plan, material_code, choice.kind)
    _require_agreement(choice)
    case.editable_parts()
    if choice.kind is SupplyKind.LICENCE:
        supplied = await _bind_licence(licences, case, holders, need, choice, now)
    else:
        supplied = give_word(case.plan, need, choice.kind, now, catalogue.calendar)
    return await _put(open_work, actor, case_id, material_code, supplied)


async def attach_file(
    open_work: OpenWork,
    files: Files,
    actor: ActingPerson,
    case_id: str,
    material_code: str,
    *,
    file_name: str,
    media_type: str,
    content: bytes,
    sha256: str,
    scan: str = "",
) -> Case:
    """Supply a material by an upload that `admit_upload` let in; ``sha256`` is the content's, in hex.

    Raises UPLOAD_TOO_LARGE, FILE_TYPE_REFUSED, and what `choose_supply` raises.
    """
    if len(content) > FILE_LIMIT_BYTES:
        raise UPLOAD_TOO_LARGE(limit_bytes=FILE_LIMIT_BYTES)
    require_file_type(media_type, content)
    async with open_work() as work:
        case = await load_to_act(work, actor, case_id, lock=False)
        now = work.now()
    require_need(case.plan, material_code, SupplyKind.UPLOAD)
    case.editable_parts()
    supplied = Supplied(
        SupplyKind.UPLOAD,
        now,
        file_id=await files.put(content),
        file_name=_plain_name(file_name),
        media_type=media_type,
        sha256=sha256,
        size_bytes=len(content),
        scan=scan,
    )
    return await _put(open_work, actor, case_id, material_code, supplied)


def _plain_name(file_name: str) -> str:
    """Return the last part of a name without anything that could steer a terminal or turn the text round."""
    last = PurePosixPath(file_name.replace("\\", "/")).name
    return "".join(each for each in last if each.isprintable())[-FILE_NAME_LIMIT:]


async def _put(
    open_work: OpenWork, actor: ActingPerson, case_id: str, material_code: str, supplied: Supplied
) -> Case:
    async with open_work() as work:
        case = await load_to_act(work, actor, case_id)
        case.put_supply(material_code, supplied)
        await record(work, case)
    return case


def _require_agreement(choice: SupplyChoice) -> None:
    problems = [] if choice.agreed else [AGREEMENT_REQUIRED.at("supply.agreed")]
    if choice.kind is SupplyKind.LICENCE:
        given = (("licence_id", choice.licence_id), ("consent_version", choice.consent_version))
        problems += [FIELD_REQUIRED.at(f"supply.{name}") for name, value in given if not value]
    refuse(problems)


async def _bind_licence(
    licences: Licences,
    case: Case,
    holders: Holders,
    need: MaterialNeed,
    choice: SupplyChoice,
    now: datetime,
) -> Supplied:
    source = holders.get(need.material.holder)
    if choice.entrustment_id and (source is None or source.given is None):
        raise ENTRUSTMENT_NOT_COVERING()
    types = [each.licence_type for each in need.material.replaced_by]
    item_code = source.item_of(case.plan.items_needing(need), covered=False) if source else ""
    found = await _find(licences, case, source, types, item_code)
    licence = next((each for each in found if each.licence_id == choice.licence_id), None)
    if licence is None or source is None:
        raise LICENCE_NOT_ACCEPTED()
    require_in_force({need.material.holder: source}, now)
    face_fields = require_licence(need, licence.type_code, licence.trust_grade)
    consent_id = str(uuid_utils.compat.uuid7())
    codes: list[BoundUseCode] = []
    for part in case.editable_parts():
        if part.item.item_id in need.parts:
            order = _order(case, part, source, licence, face_fields, choice, consent_id, now)
            code, expires_at = await licences.issue_use_code(order, str(uuid_utils.compat.uuid7()))
            codes.append(BoundUseCode(part.part_id, code, expires_at))
    return Supplied(
        SupplyKind.LICENCE,
        now,
        licence_id=licence.licence_id,
        licence_type_code=licence.type_code,
        licence_issuer_name=licence.issuer_name,
        licence_county_code=licence.county_code,
        consent_version=choice.consent_version,
        consent_id=consent_id,
        entrustment_id=source.given.entrustment_id if source.given else "",
        use_codes=tuple(codes),
        face={code: value for code, value in licence.face.items() if code in _kept(case, licence)},
    )


def _kept(case: Case, licence: FoundLicence) -> frozenset[str]:
    """Return the face fields that a result licence of this case takes over; no other is kept."""
    wanted = (taken_over(item.product, licence.type_code) for item in case.plan.items)
    return frozenset[str]().union(*wanted)


def _order(
    case: Case,
    part: Part,
    source: Source,
    licence: FoundLicence,
    face_fields: tuple[str, ...],
    choice: SupplyChoice,
    consent_id: str,
    now: datetime,
) -> UseCodeOrder:
    return UseCodeOrder(
        licence_id=licence.licence_id,
        holder_id_type_code=source.holder[0],
        holder_id_number=source.holder[1],
        item_code=part.item.item_code,
        case_id=case.case_id,
        consumer_code=part.item.department_code,
        face_fields=face_fields,
        use_cause=part.use_cause,
        expires_at=now + USE_CODE_LIFETIME,
        consent_version=choice.consent_version,
        consented_at=now,
        consent_id=consent_id,
        agency=source.agency,
    )


def _replaceable(need: MaterialNeed) -> bool:
    return SupplyKind.LICENCE in allowed_supplies(need)


async def _ask_registry(
    licences: Licences, case: Case, holders: Holders, holder: MaterialHolder
) -> Sequence[FoundLicence] | None:
    """Return the licences, or None when the registry cannot be asked: the case goes on without it."""
    needs = [need for need in case.plan.needs if need.material.holder is holder and _replaceable(need)]
    source = holders.get(holder)
    wanted = {each.licence_type for need in needs for each in need.material.replaced_by}
    types = sorted(each for each in wanted if source and source.covers(each))
    item_code = source.item_of(case.plan.items, covered=True) if source else ""
    try:
        return await _find(licences, case, source, types, item_code)
    except Fault as fault:
        if fault.kind in {Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.RESOURCE_EXHAUSTED}:
            return None
        raise


async def _find(
    licences: Licences, case: Case, source: Source | None, types: Sequence[str], item_code: str
) -> Sequence[FoundLicence]:
    if source is None or not types:
        return ()
    return await licences.find(
        holder_id_type_code=source.holder[0],
        holder_id_number=source.holder[1],
        type_codes=types,
        use_cause=f"申请办理{case.plan.title}",
        item_code=item_code,
        case_id=case.case_id,
        agency=source.agency,
    )


def _options(case: Case, need: MaterialNeed, found: Sequence[FoundLicence] | None) -> MaterialOptions:
    code = need.material.code
    types = {each.licence_type for each in need.material.replaced_by}
    replaceable = _replaceable(need)
    return MaterialOptions(
        need,
        allowed_supplies(need),
        case.staged_supplies.get(code) or case.supplies.get(code),
        tuple(each for each in found or () if replaceable and each.type_code in types),
        registry_unavailable=replaceable and found is None,
    )
