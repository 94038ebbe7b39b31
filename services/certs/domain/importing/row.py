"""The rules of one imported row: every problem at once; loose values are flagged, not lost.

A row is refused only where no record could be made of it: a mandatory field is missing, a value does
not fit its column, a date does not exist, the source may not speak for the issuer, or a quality rule of
its type is broken. Wrong check characters,
issuers that are no credit code and unknown types circulate; they are kept as received, with a flag.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache

from chassis.clock import china_day
from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Kind, Violation, declare
from services.certs.domain.holder import HOLDER_ID_TYPE_UNKNOWN, HOLDER_ID_TYPES, Holder, check_holder_number
from services.certs.domain.importing.codes import county_of, identifier_flags, read_status, serial_version_of
from services.certs.domain.importing.names import FACE_FIELDS_LIMIT, FIELD_NAME_LIMIT, Names, names_of
from services.certs.domain.importing.quality import Dates, broken_rules
from services.certs.domain.importing.source import Source, authority_problems
from services.certs.domain.licence import Licence, Origin
from services.certs.domain.licence_type import LicenceType, LicenceTypes
from services.certs.domain.metadata import (
    MANDATORY,
    SEVERAL,
    read_date,
)
from services.certs.domain.status import LicenceStatus, is_over
from standards.annotated_copy import ANNOTATED_COPY

IMPORTED_GRADE = "A"  # 国办函〔2016〕108号: out of a departmental licence library
FACE_VALUE_LIMIT = 4_000
LIMITS = {
    "ZZMC": 512,
    "ZZLXDM": 64,
    "ZZBH": 128,
    "ZZBS": 128,
    "ZZBFJG": 512,
    "ZZBFJGDM": 64,
    "CZZT": 512,
    "CZZTDM": 256,
}
SHORTEST_LIMIT = min(LIMITS.values())

DATE_MALFORMED = declare(
    "DATE_MALFORMED", Kind.INVALID_ARGUMENT, "日期不存在或格式不正确", "No such day, or not a date"
)
DATE_TOO_EARLY = declare(
    "DATE_TOO_EARLY", Kind.INVALID_ARGUMENT, "日期早于 1900 年", "No licence has a date before the year 1900"
)
TERM_BACKWARDS = declare(
    "TERM_BACKWARDS", Kind.INVALID_ARGUMENT, "有效期截止早于起始", "The term ends before it begins"
)
ISSUED_IN_FUTURE = declare(
    "ISSUED_IN_FUTURE", Kind.INVALID_ARGUMENT, "颁发日期晚于今天", "The day of issue lies in the future"
)
HOLDER_COUNT_WRONG = declare(
    "HOLDER_COUNT_WRONG",
    Kind.INVALID_ARGUMENT,
    "持证主体的名称与代码数量不一致",
    "Names and codes of the holders differ in number",
)
ANNOTATED_COPY_NO_SOURCE = declare(
    "ANNOTATED_COPY_NO_SOURCE",
    Kind.INVALID_ARGUMENT,
    "加注件不能作为证照原件导入",
    "An annotated copy is never the source of an original",
)
EARLIEST = date(1900, 1, 1)
"""A day before it is a mistyped one, or stands for none."""
FLAG_TYPE_UNKNOWN = "LICENCE_TYPE_NOT_IN_CATALOGUE"
FLAG_TYPE_NAME = "LICENCE_TYPE_NAME_DIFFERS"
FLAG_FIELD = "FIELD_NOT_KNOWN_AND_LEFT_OUT"
FLAG_STATUS = "STATUS_NOT_MAPPED"

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""No text of a register; PostgreSQL refuses the first, and with it a whole chunk of good rows."""


class Operation(StrEnum):
    """What a department's row asks for; UPSERT is the stock row that is there afterwards, however it was."""

    UPSERT = "upsert"
    INSERT = "insert"
    UPDATE = "update"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row as received: GB/T 36903 short name → value, and what is to be done with it."""

    row_number: int
    fields: Mapping[str, str] = field(repr=False)
    operation: Operation = Operation.UPSERT
    given: Mapping[str, str] = field(init=False, repr=False, compare=False)
    """The fields that hold something, without space around."""

    def __post_init__(self) -> None:
        """Strip them once; several ask."""
        object.__setattr__(self, "given", stripped(self.fields))


@dataclass(frozen=True, slots=True)
class Judgement:
    """A row after its rules: the licence it describes, or the problems that keep it out.

    The licence has no ``licence_id`` and no ``lineage_id`` yet.
    """

    row_number: int
    licence: Licence | None
    problems: tuple[Violation, ...] = ()
    states_status: bool = False
    """Whether the register said how the licence stands; silence does not lift a suspension."""
    acted_on: date = date.min
    """The day of the act that the row tells of: of its change (ZZBGSJ), else of its issue."""

    @property
    def quality_flags(self) -> tuple[str, ...]:
        """The flags of an accepted row."""
        return self.licence.quality_flags if self.licence else ()


def judge(row: ImportRow, types: LicenceTypes, source: Source | None, now: datetime) -> Judgement:
    """Judge one row. ``source`` is where it comes from; None may deliver any issuer's (an operator)."""
    given, names = row.given, names_of(row.given)
    problems = _shape_problems(given, names)
    dates, date_problems = _dates(given, now)
    holders, holder_problems, holder_flags = _holders(given)
    issuer, type_code = given.get("ZZBFJGDM", ""), given.get("ZZLXDM", "")
    problems += date_problems + holder_problems
    if source is not None:
        problems += authority_problems(source, issuer, type_code, given.get("ZZBS", ""))
    kind, rule_flags = types.get(type_code), list[str]()
    if kind is not None:
        broken, rule_flags = broken_rules(kind, given, dates, holders)
        problems += broken
    if problems:
        once = {(each.field_path, each.reason.code): each for each in reversed(problems)}
        return Judgement(row.row_number, None, tuple(reversed(once.values())))
    flags = dict.fromkeys(
        (*identifier_flags(given), *holder_flags, *_catalogue_flags(given, kind, names), *rule_flags)
    )
    status, mapped = read_status(given.get("ZZZT", ""))
    if not mapped:
        flags[FLAG_STATUS] = None
    county = county_of(issuer) or (source.county_code if source else "")
    face = {name: given[name] for name in names.face}
    version = kind.version if kind else 1
    licence = _licence(given, face, dates, holders, county, _today(status, dates, now), tuple(flags), version)
    return Judgement(
        row.row_number, licence, states_status="ZZZT" in given, acted_on=_acted_on(given, dates, now)
    )


def judge_cancellation(row: ImportRow, now: datetime) -> tuple[Mapping[str, str], list[Violation]]:
    """Return the fields of a row that cancels a licence, and what is wrong with them.

    It names the licence (ZZBS), and may say why (ZZBGYY) and when (ZZBGSJ); whether the source may speak
    for the licence is asked of what the registry holds.
    """
    given = row.given
    found = [] if "ZZBS" in given else [FIELD_REQUIRED.at("ZZBS")]
    found += _value_problems(given, names_of(given))
    if "ZZBGSJ" in given:
        try:
            day = read_date(given["ZZBGSJ"][:10])
        except ValueError:
            day = None
        if day is None:
            found.append(DATE_MALFORMED.at("ZZBGSJ"))
        elif day < EARLIEST:
            found.append(DATE_TOO_EARLY.at("ZZBGSJ"))
        elif day.isoformat() > china_day(now):
            found.append(ISSUED_IN_FUTURE.at("ZZBGSJ"))
    return given, found


def stripped(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that hold something, without space around."""
    return {name: value for name in fields if (value := fields[name].strip())}


def _licence(
    given: Mapping[str, str],
    face: Mapping[str, str],
    dates: Dates,
    holders: tuple[Holder, ...],
    county_code: str,
    status: LicenceStatus,
    flags: tuple[str, ...],
    type_version: int,
) -> Licence:
    return Licence(
        licence_id="",
        lineage_id="",
        identifier=given["ZZBS"],
        type_code=given["ZZLXDM"],
        type_name=given["ZZMC"],
        number=given["ZZBH"],
        issuer_code=given["ZZBFJGDM"],
        issuer_name=given["ZZBFJG"],
        county_code=county_code,
        holders=holders,
        issued_date=dates.issued,
        valid_from=dates.valid_from,
        valid_until=dates.valid_until,
        status=status,
        face=face,
        origin=Origin.IMPORTED,
        trust_grade=IMPORTED_GRADE,
        quality_flags=flags,
        serial_version=serial_version_of(given["ZZBS"]),
        type_version=type_version,
    )


def _shape_problems(given: Mapping[str, str], names: Names) -> list[Violation]:
    found: list[Violation] = []
    if not names.are_complete:
        found += [FIELD_REQUIRED.at(name) for name in MANDATORY if name not in given]
        found += [ANNOTATED_COPY_NO_SOURCE.at(name) for name in ANNOTATED_COPY if name in given]
    return found + _value_problems(given, names)


def _value_problems(given: Mapping[str, str], names: Names) -> list[Violation]:
    values = given.values()
    is_printable = "".join(values).isprintable()
    if names.are_ordinary and is_printable and max(map(len, values), default=0) <= SHORTEST_LIMIT:
        return []  # as nearly always
    found = [] if names.are_ordinary and is_printable else _control_problems(given)
    for name, value in given.items():
        if len(value) > SHORTEST_LIMIT and len(value) > (limit := LIMITS.get(name, FACE_VALUE_LIMIT)):
            found.append(FIELD_TOO_LONG.at(name, limit=limit))
        if len(name) > FIELD_NAME_LIMIT:
            found.append(FIELD_MALFORMED.at("*"))
    if len(given) > FACE_FIELDS_LIMIT:
        found.append(FIELD_TOO_LONG.at("*", limit=FACE_FIELDS_LIMIT))
    return found


def _control_problems(given: Mapping[str, str]) -> list[Violation]:
    """Name the fields with a control character; of a wrong name nothing is repeated."""
    found = []
    for name, value in given.items():
        if len(name) <= FIELD_NAME_LIMIT and (_CONTROL.search(name) or _CONTROL.search(value)):
            found.append(FIELD_MALFORMED.at("*" if _CONTROL.search(name) else name))
    return found


def _dates(given: Mapping[str, str], now: datetime) -> tuple[Dates, list[Violation]]:
    read: dict[str, date | None] = {}
    found: list[Violation] = []
    for name in ("ZZBFRQ", "ZZYXQQSRQ", "ZZYXQJZRQ"):
        try:
            read[name] = read_date(given[name]) if name in given else None
        except ValueError:
            read[name] = None
            found.append(DATE_MALFORMED.at(name))
    found += [DATE_TOO_EARLY.at(name) for name, day in read.items() if day is not None and day < EARLIEST]
    issued, first, last = read["ZZBFRQ"], read["ZZYXQQSRQ"], read["ZZYXQJZRQ"]
    if issued is None and "ZZBFRQ" in given and not found:
        found.append(DATE_MALFORMED.at("ZZBFRQ"))  # 长期 is no day of issue
    if issued is not None and issued > _day_in_china(now):
        found.append(ISSUED_IN_FUTURE.at("ZZBFRQ"))
    begins = first or issued
    if last is not None and begins is not None and last < begins:
        found.append(TERM_BACKWARDS.at("ZZYXQJZRQ"))
    return Dates(issued or date.min, first, last), found


def _acted_on(given: Mapping[str, str], dates: Dates, now: datetime) -> date:
    """Return the day of the change, where one can be read and has come, else that of the issue."""
    try:
        changed = read_date(given["ZZBGSJ"][:10]) if "ZZBGSJ" in given else None
    except ValueError:
        changed = None
    known = changed is not None and EARLIEST <= changed <= _day_in_china(now)
    return changed if changed is not None and known else dates.issued


@lru_cache(maxsize=4)
def _day_in_china(now: datetime) -> date:
    return date.fromisoformat(china_day(now))


def _holders(given: Mapping[str, str]) -> tuple[tuple[Holder, ...], list[Violation], list[str]]:
    names = given.get("CZZT", "").split(SEVERAL)
    numbers = given.get("CZZTDM", "").split(SEVERAL)
    kinds = given.get("CZZTDMLXDM", "").split(SEVERAL)
    if len(kinds) == 1:
        kinds *= len(numbers)
    found: list[Violation] = []
    if "CZZT" in given and "CZZTDM" in given and not len(names) == len(numbers) == len(kinds):
        found.append(HOLDER_COUNT_WRONG.at("CZZTDM"))
    if "CZZTDMLXDM" in given and any(kind not in HOLDER_ID_TYPES for kind in kinds):
        found.append(HOLDER_ID_TYPE_UNKNOWN.at("CZZTDMLXDM"))
    if found:
        return (), found, []
    flags = [
        flag
        for kind, number in zip(kinds, numbers, strict=False)
        for flag in check_holder_number(kind, number).flags
    ]
    return tuple(Holder(*each) for each in zip(kinds, numbers, names, strict=False)), [], flags


def _catalogue_flags(given: Mapping[str, str], kind: LicenceType | None, names: Names) -> list[str]:
    found = [] if kind else [FLAG_TYPE_UNKNOWN]
    if kind and kind.name != given["ZZMC"]:
        found.append(FLAG_TYPE_NAME)
    if not names.are_known:
        found.append(FLAG_FIELD)
    return found


def _today(status: LicenceStatus, dates: Dates, now: datetime) -> LicenceStatus:
    """Return the status that counts today: stock whose term is over comes in as expired."""
    in_force = status in {LicenceStatus.VALID, LicenceStatus.SUSPENDED}
    return LicenceStatus.EXPIRED if in_force and is_over(dates.valid_until, now) else status
