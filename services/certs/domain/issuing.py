"""Making a licence (制证) from an approval: number, GB/T 36904 identifier, term, first version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from chassis.clock import CHINA_TIME
from chassis.errors import FIELD_REQUIRED, Kind, Violation, declare, refuse
from services.certs.domain.holder import Holder, check_holder_number, holder_violations
from services.certs.domain.licence import FLAG_FACE_FIELD_MISSING, Licence, Origin
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.metadata import UNLIMITED_YEAR
from services.certs.domain.status import Act, LicenceStatus, after
from standards.identifiers import build_licence_identifier

SERIAL_DIGITS = 7
MADE_GRADE = "A"  # 国办函〔2016〕108号: produced by the service authority itself

LICENCE_TYPE_UNKNOWN = declare(
    "LICENCE_TYPE_UNKNOWN",
    Kind.FAILED_PRECONDITION,
    "证照类型 {type_code} 不在证照目录中",
    "Licence type {type_code} is not in the catalogue",
)
SERIALS_EXHAUSTED = declare(
    "SERIALS_EXHAUSTED",
    Kind.RESOURCE_EXHAUSTED,
    "该机构本年度此类证照的流水号已用完",
    "This year's serials of the issuer and type are used up",
)


@dataclass(frozen=True, slots=True)
class IssueData:
    """What an approved part says about the licence it results in."""

    case_id: str
    part_id: str
    item_code: str
    type_code: str
    county_code: str
    issuer_code: str
    issuer_name: str
    holder: Holder
    face: Mapping[str, str] = field(repr=False)
    validity_years: int
    decided_at: datetime
    operation: str = "issue"
    """issue, renew or change: what the item does to a licence."""
    predecessor_id: str = ""
    """The licence that is renewed or changed, where the case names it."""


def issue_year(decided_at: datetime) -> int:
    """Return the year in China whose serial counter an approval draws from."""
    return decided_at.astimezone(CHINA_TIME).year


def serial_of(year: int, sequence: int) -> str:
    """Return the serial 流水号: the year and seven digits. Raises SERIALS_EXHAUSTED."""
    if not 0 < sequence < 10**SERIAL_DIGITS:
        raise SERIALS_EXHAUSTED()
    return f"{year}{sequence:0{SERIAL_DIGITS}d}"


def check_issue_data(data: IssueData) -> None:
    """Refuse data that no strict identifier or complete record can be made of, naming every field."""
    found: list[Violation] = holder_violations(data.holder.id_type_code, data.holder.id_number)
    if not data.holder.name:
        found.append(FIELD_REQUIRED.at("holder_name"))
    if data.holder.id_number:
        number = check_holder_number(data.holder.id_type_code, data.holder.id_number)
        found += number.violations("holder_id_number")
    found += [
        FIELD_REQUIRED.at(name) for name in ("case_id", "part_id", "issuer_name") if not getattr(data, name)
    ]
    refuse(found)


def make(licence_id: str, data: IssueData, kind: LicenceType, sequence: int) -> Licence:
    """Return the new licence, version 001, waiting for its seal.

    The identifier is strict: type and issuer are valid unified social credit codes. Face fields the
    type does not have are left out.

    Raises INVALID_REQUEST, SERIALS_EXHAUSTED, or the identifier rule that fails.
    """
    check_issue_data(data)
    serial = serial_of(issue_year(data.decided_at), sequence)
    issued = data.decided_at.astimezone(CHINA_TIME).date()
    return Licence(
        licence_id=licence_id,
        lineage_id=licence_id,
        identifier=build_licence_identifier(data.type_code, data.issuer_code, serial),
        type_code=data.type_code,
        type_name=kind.name,
        number=f"{data.county_code}{serial}",
        issuer_code=data.issuer_code,
        issuer_name=data.issuer_name,
        county_code=data.county_code,
        holders=(data.holder,),
        issued_date=issued,
        valid_from=issued,
        valid_until=term_end(issued, data.validity_years),
        status=after(Act.MAKE, LicenceStatus.DRAFT),
        face={each.name: data.face[each.name] for each in kind.fields if data.face.get(each.name)},
        origin=Origin.MADE,
        trust_grade=MADE_GRADE,
        quality_flags=(FLAG_FACE_FIELD_MISSING,) if kind.lacks(data.face) else (),
        case_id=data.case_id,
        part_id=data.part_id,
        item_code=data.item_code,
        type_version=kind.version,
    )


def term_end(first: date, years: int) -> date | None:
    """Return the last day of a term of whole years: the day before the anniversary; None for 长期 (0, or beyond every calendar)."""
    if years <= 0 or first.year + years >= UNLIMITED_YEAR:
        return None
    try:
        anniversary = first.replace(year=first.year + years)
    except ValueError:  # 29 February
        anniversary = date(first.year + years, 3, 1)
    return date.fromordinal(anniversary.toordinal() - 1)
