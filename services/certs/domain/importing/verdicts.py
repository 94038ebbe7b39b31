"""What a row of an import is answered with, once it has met what the registry already holds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chassis.errors import Kind, Violation, declare
from services.certs.domain.licence import Origin
from services.certs.domain.status import LicenceStatus

LICENCE_MADE_HERE = declare(
    "LICENCE_MADE_HERE",
    Kind.FAILED_PRECONDITION,
    "该证照由本证照库签发，不能以导入方式覆盖",
    "This registry issued the licence; an import cannot replace it",
)
LICENCE_STATUS_FINAL = declare(
    "LICENCE_STATUS_FINAL",
    Kind.FAILED_PRECONDITION,
    "该证照已被注销、撤销、吊销或换发，不能以导入方式恢复",
    "The licence was cancelled, revoked, forfeited or replaced; an import cannot bring it back",
)
LICENCE_OF_ANOTHER_COUNTY = declare(
    "LICENCE_OF_ANOTHER_COUNTY",
    Kind.FAILED_PRECONDITION,
    "该证照标识已由其他县区登记",
    "Another county has registered this identifier",
)

_FINAL = frozenset(
    {LicenceStatus.CANCELLED, LicenceStatus.REVOKED, LicenceStatus.FORFEITED, LicenceStatus.REPLACED}
)


class Outcome(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    UPDATED = "updated"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """The answer to one row; stored, so that a resumed import gets it again."""

    row_number: int
    outcome: Outcome
    licence_id: str = ""
    quality_flags: tuple[str, ...] = ()
    problems: tuple[Violation, ...] = ()


def is_made_here(origin: Origin) -> bool:
    """Say whether a registered licence is one of ours, which no import may touch."""
    return origin is Origin.MADE


def changes_content(
    origin: Origin, held: LicenceStatus, county_code: str, fresh: LicenceStatus, fresh_county: str
) -> Violation | None:
    """Return why a row may not replace the registered content, None when it may."""
    if is_made_here(origin):
        return LICENCE_MADE_HERE.at("ZZBS")
    if county_code != fresh_county:
        return LICENCE_OF_ANOTHER_COUNTY.at("ZZBS")
    return LICENCE_STATUS_FINAL.at("ZZZT") if held in _FINAL and fresh not in _FINAL else None
