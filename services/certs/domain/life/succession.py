"""A new version of a licence: changed (变更) or renewed (延续), linked to its predecessor.

The new version is a licence of its own: own id, own document, own GB/T 36904 identifier with the next
version number of the same serial. It waits for its seal. Until it is sealed the predecessor stays in
force; with the seal, in one transaction, the predecessor is replaced. What befalls the predecessor
meanwhile befalls the new version too: a suspension goes over to it, a fall calls it off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from chassis.clock import CHINA_TIME
from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Kind, Violation, declare
from services.certs.domain.holder import Holder, check_holder_number, holder_violations
from services.certs.domain.issuing import MADE_GRADE, term_end
from services.certs.domain.licence import FLAG_FACE_FIELD_MISSING, Licence, Origin, Sealing
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.status import Act, LicenceStatus, after
from services.certs.domain.use_code import FACE_FIELD_UNKNOWN
from standards.identifiers import build_licence_identifier, parse_licence_identifier

MOST_HOLDERS = 50
LONGEST_YEARS = 70
"""[M]: the longest term of a right of use (出让, residential land)."""
FACE_VALUE_LIMIT = 2_000
NAME_LIMIT = 200

LICENCE_NOT_IN_FORCE = declare(
    "LICENCE_NOT_IN_FORCE",
    Kind.FAILED_PRECONDITION,
    "证照当前状态为 {status}，只有有效的证照才能变更、延续或制发副本",
    "The licence is {status}; only one in force is changed, renewed or copied",
)
SUCCESSOR_WAITS = declare(
    "SUCCESSOR_WAITS",
    Kind.FAILED_PRECONDITION,
    "该证照已有新版本正在制作",
    "A new version of the licence is being made already",
)
COPY_FOLLOWS_ORIGINAL = declare(
    "COPY_FOLLOWS_ORIGINAL",
    Kind.FAILED_PRECONDITION,
    "副本随正本变动，只能单独注销",
    "An attached copy follows its original; by itself it can only be cancelled",
)
NOTHING_CHANGES = declare(
    "NOTHING_CHANGES", Kind.INVALID_ARGUMENT, "没有任何内容发生变化", "Nothing would be different"
)
TERM_UNLIMITED = declare(
    "TERM_UNLIMITED",
    Kind.FAILED_PRECONDITION,
    "长期有效的证照无需延续",
    "A licence without an end needs no renewal",
)
VERSIONS_USED_UP = declare(
    "VERSIONS_USED_UP",
    Kind.RESOURCE_EXHAUSTED,
    "该流水号的版本号已用完",
    "The version numbers of this serial are used up",
)


class LinkKind(StrEnum):
    """What a licence is to its parent."""

    CHANGE = "change"
    RENEW = "renew"
    COPY = "copy"


class LinkState(StrEnum):
    """Whether the linked licence has come into force, or never will."""

    WAITING = "waiting"
    IN_FORCE = "in_force"
    CALLED_OFF = "called_off"


@dataclass(frozen=True, slots=True)
class Link:
    """What ties a licence to its predecessor or original; ``copy_number`` is 0 for a new version."""

    licence_id: str
    parent_id: str
    kind: LinkKind
    copy_number: int
    order_id: str
    state: LinkState
    linked_at: datetime
    settled_at: datetime | None = None

    @property
    def is_copy(self) -> bool:
        """Whether this is an attached copy."""
        return self.kind is LinkKind.COPY


@dataclass(frozen=True, slots=True)
class Amendment:
    """What becomes different: face values by short name (empty takes one away), all holders afterwards."""

    face: Mapping[str, str] = field(default_factory=dict, repr=False)
    holders: tuple[Holder, ...] = field(default=(), repr=False)


def amendment_violations(amendment: Amendment, licence: Licence, kind: LicenceType) -> list[Violation]:
    """Return every wrong field of a change, as paths of the request."""
    found: list[Violation] = []
    for name, value in sorted(amendment.face.items()):
        path, known = f"face.{name}", kind.field(name)
        if known is None:
            found.append(FACE_FIELD_UNKNOWN.at(path))
        elif known.required and not value.strip():
            found.append(FIELD_REQUIRED.at(path))
        elif len(value) > FACE_VALUE_LIMIT:
            found.append(FIELD_TOO_LONG.at(path, limit=FACE_VALUE_LIMIT))
    found += _holder_violations(amendment.holders)
    if not found and _is_same(amendment, licence):
        found.append(NOTHING_CHANGES.at("face"))
    return found


def years_violations(years: int) -> list[Violation]:
    """Return what is wrong with the years that a renewal adds."""
    return [] if 0 < years <= LONGEST_YEARS else [FIELD_MALFORMED.at("years")]


def require_in_force(licence: Licence, now: datetime) -> None:
    """Raise LICENCE_NOT_IN_FORCE unless the licence may be changed, renewed or copied."""
    if not licence.is_usable(now):
        raise LICENCE_NOT_IN_FORCE(status=licence.usability(now))


def changed(licence: Licence, amendment: Amendment) -> Licence:
    """Return the licence with the content of a change."""
    face = {name: value for name, value in (dict(licence.face) | dict(amendment.face)).items() if value}
    return replace(licence, face=face, holders=amendment.holders or licence.holders)


def renewed(licence: Licence, years: int, now: datetime) -> Licence:
    """Return the licence with a term that starts today and ends ``years`` after the present one.

    What is left of the present term is not lost. Raises TERM_UNLIMITED.
    """
    if licence.valid_until is None:
        raise TERM_UNLIMITED()
    today = now.astimezone(CHINA_TIME).date()
    following = max(licence.valid_until + timedelta(days=1), today)
    return replace(licence, valid_from=today, valid_until=term_end(following, years))


def next_identifier(licence: Licence, used: int) -> str:
    """Return the identifier of the next version of the same serial; ``used`` is the highest one given out.

    Raises VERSIONS_USED_UP, or the identifier rule that an imported identifier breaks.
    """
    parts = parse_licence_identifier(licence.identifier)
    if used >= 999:
        raise VERSIONS_USED_UP()
    return build_licence_identifier(parts.type_code, parts.issuer, parts.serial, used + 1)


def waiting_version(
    content: Licence, kind: LicenceType, licence_id: str, used: int, case: tuple[str, str], now: datetime
) -> Licence:
    """Return the new version, waiting for its seal: ``content`` under its own id and identifier.

    ``case`` is (case_id, item_code), empty where the issuer acts by itself.
    """
    case_id, item_code = case
    return replace(
        afresh(content, kind),
        licence_id=licence_id,
        identifier=next_identifier(content, used),
        serial_version=used + 1,
        issued_date=now.astimezone(CHINA_TIME).date(),
        case_id=case_id or content.case_id,
        item_code=item_code or content.item_code,
    )


def afresh(content: Licence, kind: LicenceType) -> Licence:
    """Return what is the same for everything that this registry makes of an existing licence."""
    return replace(
        content,
        status=after(Act.MAKE, LicenceStatus.DRAFT),
        origin=Origin.MADE,
        trust_grade=MADE_GRADE,
        type_name=kind.name,
        type_version=kind.version,
        quality_flags=(FLAG_FACE_FIELD_MISSING,) if kind.lacks(content.face) else (),
        version=1,
        part_id="",
        sealing=Sealing(),
    )


def _holder_violations(holders: Sequence[Holder]) -> list[Violation]:
    found: list[Violation] = []
    if len(holders) > MOST_HOLDERS:
        return [FIELD_TOO_LONG.at("holders", limit=MOST_HOLDERS)]
    seen: set[str] = set()
    for at, holder in enumerate(holders):
        path = f"holders[{at}]"
        found += [
            replace(each, field_path=f"{path}.{_SAID[each.field_path]}")
            for each in holder_violations(holder.id_type_code, holder.id_number)
        ]
        if holder.id_number:
            checked = check_holder_number(holder.id_type_code, holder.id_number)
            found += checked.violations(f"{path}.id_number")
        if not holder.name.strip():
            found.append(FIELD_REQUIRED.at(f"{path}.name"))
        elif len(holder.name) > NAME_LIMIT:
            found.append(FIELD_TOO_LONG.at(f"{path}.name", limit=NAME_LIMIT))
        if holder.index_key in seen:
            found.append(FIELD_MALFORMED.at(f"{path}.id_number"))
        seen.add(holder.index_key)
    return found


_SAID = {"holder_id_type_code": "id_type_code", "holder_id_number": "id_number"}


def _is_same(amendment: Amendment, licence: Licence) -> bool:
    same_holders = not amendment.holders or amendment.holders == licence.holders
    return same_holders and all(licence.face.get(name, "") == value for name, value in amendment.face.items())


def today_in_china(now: datetime) -> date:
    """Return the day in China of a moment."""
    return now.astimezone(CHINA_TIME).date()
