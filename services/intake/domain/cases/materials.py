"""How a material is supplied, and which ways the catalogue allows for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Kind, declare
from services.intake.domain.cases.deadlines import deadline
from services.intake.domain.cases.plan import CasePlan
from services.intake.domain.catalogue.guide import MaterialNeed
from services.intake.domain.catalogue.items import MaterialHolder
from services.intake.domain.catalogue.licences import TrustGrade
from standards.working_days import WorkingCalendar

FILE_LIMIT_BYTES = 7 * 1024 * 1024
"""Largest upload: a photograph or a scan of a few pages, and it fits one gRPC message of 8 MiB."""
MEDIA_TYPES = ("application/pdf", "image/jpeg", "image/png", "application/ofd")

MATERIAL_UNKNOWN = declare(
    "MATERIAL_UNKNOWN",
    Kind.NOT_FOUND,
    "材料清单中没有 {material}",
    "The material list has no {material}",
)
SUPPLY_NOT_ALLOWED = declare(
    "SUPPLY_NOT_ALLOWED",
    Kind.FAILED_PRECONDITION,
    "该材料不能以此方式提供，可选方式：{allowed_zh}",
    "This material cannot be supplied so; possible: {allowed}",
)
MATERIAL_NOT_ASKED = declare(
    "MATERIAL_NOT_ASKED",
    Kind.FAILED_PRECONDITION,
    "该材料由本次办理结果自动提供，无需提交",
    "Another part of this case produces the material; it is not asked for",
)
AGREEMENT_REQUIRED = declare(
    "AGREEMENT_REQUIRED",
    Kind.INVALID_ARGUMENT,
    "请先阅读并同意",
    "Read and agree first",
)
LICENCE_NOT_ACCEPTED = declare(
    "LICENCE_NOT_ACCEPTED",
    Kind.FAILED_PRECONDITION,
    "所选电子证照不能替代该材料",
    "This licence does not replace the material",
)
FILE_TYPE_REFUSED = declare(
    "FILE_TYPE_REFUSED",
    Kind.INVALID_ARGUMENT,
    "仅接受 {allowed} 文件，且内容须与类型一致",
    "Only {allowed} files, with content of that type",
)


class SupplyKind(StrEnum):
    """The ways a material can come: licence 电子证照, upload 上传, promise 告知承诺, tolerance 容缺受理."""

    LICENCE = "licence"
    UPLOAD = "upload"
    PROMISE = "promise"
    TOLERANCE = "tolerance"

    @property
    def zh(self) -> str:
        """The word in Chinese."""
        return _WORDS[self]


_WORDS = {
    SupplyKind.LICENCE: "电子证照",
    SupplyKind.UPLOAD: "上传",
    SupplyKind.PROMISE: "告知承诺",
    SupplyKind.TOLERANCE: "容缺受理",
}


def in_words(ways: Iterable[SupplyKind]) -> dict[str, str]:
    """Return ways as the metadata of a refusal: ``allowed`` and ``allowed_zh``."""
    known = tuple(ways)
    return {"allowed": ", ".join(known), "allowed_zh": "、".join(way.zh for way in known)}


@dataclass(frozen=True, slots=True)
class BoundUseCode:
    """A use-code (用证码) issued for one part; only that part's department may consume it."""

    part_id: str
    use_code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Supplied:
    """One material as the applicant supplies it; which fields are set depends on the kind."""

    kind: SupplyKind
    supplied_at: datetime
    licence_id: str = ""
    licence_type_code: str = ""
    licence_issuer_name: str = ""
    licence_county_code: str = ""
    consent_version: str = ""
    consent_id: str = ""
    """Of a licence: the one agreement that all its use-codes were issued under; none before there was one."""
    entrustment_id: str = ""
    """Of a licence: the entrustment of its holder under which an agent chose it; empty for the holder's own choice."""
    use_codes: tuple[BoundUseCode, ...] = ()
    face: Mapping[str, str] = field(default_factory=dict)
    """Of a licence: the face fields that the product of an item takes over, as previewed."""
    file_id: str = ""
    file_name: str = ""
    media_type: str = ""
    sha256: str = ""
    size_bytes: int = 0
    scan: str = ""
    """Of an upload: "clean" or "unscanned", as the malware scanner left it; empty before there was one."""
    due: date | None = None
    """Promise and tolerance: by when the material must be there; None while the calendar is pending."""

    def use_code_for(self, part_id: str) -> BoundUseCode | None:
        """Return the use-code bound to a part, or None."""
        return next((code for code in self.use_codes if code.part_id == part_id), None)


def usable_by(supplied: Supplied, part_id: str, now: datetime) -> bool:
    """Say whether a part's department can work with it: a licence needs a live use-code of that part."""
    if supplied.kind is not SupplyKind.LICENCE:
        return True
    bound = supplied.use_code_for(part_id)
    return bound is not None and now < bound.expires_at


def allowed_supplies(need: MaterialNeed) -> tuple[SupplyKind, ...]:
    """Return the ways the catalogue allows, the best first; none when another part produces the material."""
    if need.supplied_by is not None:
        return ()
    ways = need.material.ways_out
    own = need.material.holder is not MaterialHolder.THIRD_PARTY  # nobody agrees for a third party
    offered = (
        (SupplyKind.LICENCE, own and bool(need.material.replaced_by)),
        (SupplyKind.UPLOAD, ways.upload),
        (SupplyKind.PROMISE, ways.promise),
        (SupplyKind.TOLERANCE, ways.tolerance),
    )
    return tuple(kind for kind, possible in offered if possible)


def require_need(plan: CasePlan, material_code: str, kind: SupplyKind) -> MaterialNeed:
    """Return the line of the list that may be supplied this way.

    Raises MATERIAL_UNKNOWN, MATERIAL_NOT_ASKED, SUPPLY_NOT_ALLOWED naming the ways that are open.
    """
    need = plan.need(material_code)
    if need is None:
        raise MATERIAL_UNKNOWN(material=material_code)
    if need.supplied_by is not None:
        raise MATERIAL_NOT_ASKED()
    allowed = allowed_supplies(need)
    if kind not in allowed:
        words = in_words(allowed)
        raise SUPPLY_NOT_ALLOWED(allowed=words["allowed"], allowed_zh=words["allowed_zh"])
    return need


def require_licence(need: MaterialNeed, type_code: str, trust_grade: str) -> tuple[str, ...]:
    """Return the face fields the items need of a licence that replaces the material.

    Raises LICENCE_NOT_ACCEPTED for another type or a lower grade than the material asks.
    """
    for replacement in need.material.replaced_by:
        if replacement.licence_type == type_code:
            if trust_grade and not TrustGrade(trust_grade).satisfies(need.material.minimum_grade):
                break
            return replacement.face_fields
    raise LICENCE_NOT_ACCEPTED()


def give_word(
    plan: CasePlan, need: MaterialNeed, kind: SupplyKind, now: datetime, calendar: WorkingCalendar
) -> Supplied:
    """Return a promise or a tolerance; it falls due with the shortest promised limit of the items needing it.

    So a tolerated material arrives in time for the decision (安阳 24: completed in time, finished in time).
    """
    terms = [deadline(calendar, now, item.promised) for item in plan.items_needing(need)]
    days = [term.due for term in terms if term.due is not None]
    pending = len(days) < len(terms)
    return Supplied(kind, now, due=None if pending or not days else min(days))


_SIGNATURES = (
    ("application/pdf", b"%PDF-"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("application/ofd", b"PK\x03\x04"),
)


def require_file_type(media_type: str, content: bytes) -> None:
    """Do nothing for an accepted type whose first bytes are of that type. Raises FILE_TYPE_REFUSED."""
    known = any(media_type == name and content.startswith(start) for name, start in _SIGNATURES)
    if not known:
        raise FILE_TYPE_REFUSED(allowed=", ".join(MEDIA_TYPES))
