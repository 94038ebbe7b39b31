"""Where imported licences come from, and for whose licences a source may speak."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chassis.errors import (
    FIELD_MALFORMED,
    FIELD_REQUIRED,
    FIELD_TOO_LONG,
    Kind,
    Violation,
    declare,
    refuse,
)
from services.certs.domain.importing.codes import county_of, issuer_inside

OWN_PRIORITY = 50
"""What a department's own register counts for, unless it is registered otherwise."""
MOST_PRIORITY = 100
OWN_FRESHNESS_SECONDS = 7 * 86_400
MOST_FRESHNESS_SECONDS = 366 * 86_400
REGISTRY_SOURCE = "registry"
"""The source of licences that this registry issues itself."""
OPERATOR_SOURCE = "operator"
KEEPER_SECTOR = "01"
"""政务服务和数据管理局: keeps the county's licence library and sends its registers."""
SOURCE_ID_LIMIT, NAME_LIMIT, CODES_LIMIT = 64, 200, 1_000

ISSUER_OF_ANOTHER_COUNTY = declare(
    "ISSUER_OF_ANOTHER_COUNTY",
    Kind.PERMISSION_DENIED,
    "只能导入本县区颁发机构的证照",
    "Only licences issued in the caller's own county may be imported",
)
SOURCE_NOT_FOR_ISSUER = declare(
    "SOURCE_NOT_FOR_ISSUER",
    Kind.PERMISSION_DENIED,
    "该数据来源未登记为此颁发机构或此类证照的来源",
    "The source is not registered for this issuer, or not for this type of licence",
)
SOURCE_NOT_FOUND = declare("SOURCE_NOT_FOUND", Kind.NOT_FOUND, "没有找到该数据来源", "No such source")
SOURCE_CHANGED_MIDWAY = declare(
    "SOURCE_CHANGED_MIDWAY",
    Kind.INVALID_ARGUMENT,
    "同一次导入只能使用一个数据来源",
    "One import has one source",
)


@dataclass(frozen=True, slots=True)
class Source:
    """A source of licence data (数据来源): a register, the department that delivers it, what it counts for.

    Of two sources the one with the higher priority prevails. Empty ``issuer_codes`` mean every issuer of
    the county, empty ``type_codes`` every type.
    """

    source_id: str
    department_code: str
    county_code: str
    name: str = ""
    priority: int = OWN_PRIORITY
    issuer_codes: tuple[str, ...] = ()
    type_codes: tuple[str, ...] = ()
    freshness_seconds: int = OWN_FRESHNESS_SECONDS
    version: int = 1

    @property
    def etag(self) -> str:
        """The record's version as callers see it."""
        return f'"{self.version}"'

    def covers(self, issuer_code: str, type_code: str) -> bool:
        """Say whether the source speaks for an issuer's licences of a type."""
        return self.covers_issuer(issuer_code) and (not self.type_codes or type_code in self.type_codes)

    def is_of(self, issuer_code: str) -> bool:
        """Say whether it is an issuer's own: its department's, or registered for that issuer by name."""
        return issuer_code == self.department_code or issuer_code in self.issuer_codes

    def covers_issuer(self, issuer_code: str) -> bool:
        """Say whether the source speaks for an issuer."""
        if self.issuer_codes:
            return issuer_code in self.issuer_codes
        return self.county_code == "" or county_of(issuer_code) == self.county_code


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What one chunk brought of one type: how many rows, the latest act, rows by days from act to arrival."""

    type_code: str
    last_act_on: date
    latest_delay_days: int
    worst_delay_days: int
    within_1_day: int = 0
    within_7_days: int = 0
    within_30_days: int = 0
    later: int = 0


def own_source(department_code: str, county_code: str, name: str, *, keeps_county: bool) -> Source:
    """Return the source that a department is without any registration.

    It speaks for the licences the department issues; the keeper of a county's library for the county's.
    """
    issuers = () if keeps_county else (department_code,)
    return Source(department_code, department_code, county_code, name, issuer_codes=issuers)


def authority_problems(source: Source, issuer: str, type_code: str, identifier: str) -> list[Violation]:
    """Return why a source may not deliver a row, by the row's issuer and by the one in its identifier.

    A row that only calls itself the source's could otherwise take another issuer's identifier, or step
    into the line of versions of its licence. Codes that name no county count as the source's own.
    """
    inside = issuer_inside(identifier)
    for field, code in (("ZZBFJGDM", issuer), ("ZZBS", inside)):
        county = county_of(code)
        if county and source.county_code and county != source.county_code:
            return [ISSUER_OF_ANOTHER_COUNTY.at(field)]
        if county and not source.covers_issuer(code):
            return [SOURCE_NOT_FOR_ISSUER.at(field)]
    if not county_of(issuer) and source.issuer_codes and issuer not in source.issuer_codes:
        return [SOURCE_NOT_FOR_ISSUER.at("ZZBFJGDM")]
    if source.type_codes and type_code not in source.type_codes:
        return [SOURCE_NOT_FOR_ISSUER.at("ZZLXDM")]
    return []


def check_source(source: Source) -> None:
    """Refuse a registration with every wrong field named at once."""
    found: list[Violation] = []
    for name in ("source_id", "department_code", "name"):
        value = getattr(source, name)
        limit = NAME_LIMIT if name == "name" else SOURCE_ID_LIMIT
        if not value.strip():
            found.append(FIELD_REQUIRED.at(name))
        elif len(value) > limit:
            found.append(FIELD_TOO_LONG.at(name, limit=limit))
        elif not value.isprintable():
            found.append(FIELD_MALFORMED.at(name))
    if source.county_code and county_of(source.county_code) != source.county_code:
        found.append(FIELD_MALFORMED.at("county_code"))
    if not 0 <= source.priority <= MOST_PRIORITY:
        found.append(FIELD_MALFORMED.at("priority"))
    if not 0 < source.freshness_seconds <= MOST_FRESHNESS_SECONDS:
        found.append(FIELD_MALFORMED.at("freshness_seconds"))
    for name in ("issuer_codes", "type_codes"):
        codes = getattr(source, name)
        if len(codes) > CODES_LIMIT:
            found.append(FIELD_TOO_LONG.at(name, limit=CODES_LIMIT))
        if any(not code or len(code) > SOURCE_ID_LIMIT or not code.isprintable() for code in codes):
            found.append(FIELD_MALFORMED.at(name))
    refuse(found)


def arrivals(acts: list[tuple[str, date]], today: date) -> list[Arrivals]:
    """Return what the rows of a chunk say about freshness: (type, day of the act) of each row that counted."""
    by_type: dict[str, list[date]] = {}
    for type_code, day in acts:
        by_type.setdefault(type_code, []).append(day)
    return [_arrivals(type_code, days, today) for type_code, days in sorted(by_type.items())]


def _arrivals(type_code: str, days: list[date], today: date) -> Arrivals:
    base = today.toordinal()
    delays = [max(0, base - day.toordinal()) for day in days]
    counts = [
        sum(low <= delay <= high for delay in delays) for low, high in ((0, 1), (2, 7), (8, 30), (31, 10**7))
    ]
    latest = max(days)
    return Arrivals(type_code, latest, max(0, base - latest.toordinal()), max(delays), *counts)
