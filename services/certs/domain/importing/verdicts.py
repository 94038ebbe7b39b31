"""What a row of an import is answered with, once it has met what the registry already holds.

A row may say that a registered licence was revoked or forfeited (ZZZT 撤销, 吊销). It names no second person and no
document, as an order here must: the issuer decided in its own system, where both are on record, and the row only tells
of it. Hence it counts from the issuer's own source alone; the history names the source as operator and its batch as
basis. Anybody else has the issuer order it here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from chassis.errors import Kind, Violation, declare
from services.certs.domain.importing.row import Operation
from services.certs.domain.importing.source import Source
from services.certs.domain.licence import Origin
from services.certs.domain.status import Act, LicenceStatus, StatusChange

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
LICENCE_OF_ANOTHER_ISSUER = declare(
    "LICENCE_OF_ANOTHER_ISSUER",
    Kind.FAILED_PRECONDITION,
    "该证照标识已由其他颁发机构登记",
    "Another issuer has registered this identifier",
)
LICENCE_ALREADY_REGISTERED = declare(
    "LICENCE_ALREADY_REGISTERED",
    Kind.ALREADY_EXISTS,
    "该证照已登记，且内容不同；如需修改请以更新方式上报",
    "The licence is registered with other content; send it as an update",
)
LICENCE_NOT_REGISTERED = declare(
    "LICENCE_NOT_REGISTERED",
    Kind.NOT_FOUND,
    "没有可更新或注销的证照",
    "There is no such licence to update or cancel",
)
LICENCE_ALREADY_CANCELLED = declare(
    "LICENCE_ALREADY_CANCELLED",
    Kind.FAILED_PRECONDITION,
    "该证照已注销",
    "The licence is cancelled already",
)
SOURCE_MAY_NOT_REVOKE = declare(
    "SOURCE_MAY_NOT_REVOKE",
    Kind.PERMISSION_DENIED,
    "撤销、吊销只能由颁发机构自己的数据来源上报，或由颁发机构在本证照库办理",
    "A revocation or forfeiture comes from the issuer's own source, or is ordered here by the issuer",
)
DUPLICATE_NUMBER = declare(
    "DUPLICATE_NUMBER",
    Kind.ALREADY_EXISTS,
    "同一颁发机构、同类证照的该证照编号已属于另一持证主体",
    "This number of the issuer and type belongs to another holder",
)

_FINAL = frozenset(
    {LicenceStatus.CANCELLED, LicenceStatus.REVOKED, LicenceStatus.FORFEITED, LicenceStatus.REPLACED}
)
_FELL = _FINAL - {LicenceStatus.REPLACED}
_DECIDED = frozenset({LicenceStatus.REVOKED, LicenceStatus.FORFEITED})
"""What only an issuer's own decision brings about."""
_RUNNING = frozenset({LicenceStatus.VALID, LicenceStatus.SUSPENDED, LicenceStatus.EXPIRED})
_ACTS = {
    LicenceStatus.VALID: Act.RESTORE,
    LicenceStatus.SUSPENDED: Act.SUSPEND,
    LicenceStatus.EXPIRED: Act.EXPIRE,
    LicenceStatus.REPLACED: Act.REPLACE,
    LicenceStatus.CANCELLED: Act.CANCEL,
    LicenceStatus.REVOKED: Act.REVOKE,
    LicenceStatus.FORFEITED: Act.FORFEIT,
}


class Outcome(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    UPDATED = "updated"
    REFUSED = "refused"
    CONFLICT_KEPT = "conflict_kept"
    """A source of higher priority says otherwise; its content stays, the conflict is on record."""
    CANCELLED = "cancelled"


class RowAnswer(NamedTuple):
    """The answer to one row; stored, so that a resumed import gets it again."""

    row_number: int
    outcome: Outcome
    licence_id: str = ""
    quality_flags: tuple[str, ...] = ()
    problems: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class Met:
    """What a row met: the registered licence under its identifier, and the priority of its source."""

    origin: Origin
    status: LicenceStatus
    county_code: str
    issuer_code: str
    type_code: str
    source_id: str
    priority: int


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version of the licence that a new row is a version of."""

    serial_version: int
    county_code: str
    status: LicenceStatus
    is_issued_here: bool
    """Made by this registry, and in force at some time, or to be so with its seal whatever becomes of others."""


@dataclass(frozen=True, slots=True)
class Comes:
    """Who brings a row: its source, None for an operator, and what that counts for."""

    source: Source | None
    source_id: str
    priority: int

    def may_touch(self, met: Met) -> bool:
        """Say whether the source speaks for the registered licence."""
        return self.source is None or self.source.covers(met.issuer_code, met.type_code)

    def decides_for(self, met: Met) -> bool:
        """Say whether this is the issuer's own register: its department's, or registered for it by name."""
        return self.source is not None and self.source.is_of(met.issuer_code)


def changes_content(
    met: Met, comes: Comes, fresh: LicenceStatus, fresh_county: str, operation: Operation
) -> Violation | None:
    """Return why a row may not replace the registered content, None when it may."""
    if met.origin is Origin.MADE:
        return LICENCE_MADE_HERE.at("ZZBS")
    if met.county_code != fresh_county:
        return LICENCE_OF_ANOTHER_COUNTY.at("ZZBS")
    if not comes.may_touch(met):
        return LICENCE_OF_ANOTHER_ISSUER.at("ZZBS")
    if operation is Operation.INSERT:
        return LICENCE_ALREADY_REGISTERED.at("ZZBS")
    if fresh in _DECIDED and met.status is not fresh and not comes.decides_for(met):
        return SOURCE_MAY_NOT_REVOKE.at("ZZZT")
    return LICENCE_STATUS_FINAL.at("ZZZT") if met.status in _FINAL and fresh not in _FINAL else None


def brings_back(met: Met, fresh: LicenceStatus) -> Violation | None:
    """Return why a row that says nothing new cannot stand: the licence fell, and the row has it in force.

    The register that sends it does not know of the fall yet. A version that a later one took the place of is
    no such case: a register's whole stock has both.
    """
    return LICENCE_STATUS_FINAL.at("ZZZT") if met.status in _FELL and fresh not in _FINAL else None


def joins_line(line: Iterable[Version], serial_version: int, county_code: str) -> Violation | None:
    """Return why a row may not become a new version of a registered licence, None when it may.

    Whoever issued a version here makes the next one here; no county's register follows on another's.
    """
    for each in line:
        if each.is_issued_here and each.serial_version < serial_version:
            return LICENCE_MADE_HERE.at("ZZBS")
        if each.county_code != county_code and each.status in _RUNNING:
            return LICENCE_OF_ANOTHER_COUNTY.at("ZZBS")
    return None


def cancels(met: Met | None, comes: Comes) -> Violation | None:
    """Return why a row may not cancel the registered licence, None when it may.

    A licence that the source does not speak for is, to it, none.
    """
    if met is None or not comes.may_touch(met):
        return LICENCE_NOT_REGISTERED.at("ZZBS")
    if met.origin is Origin.MADE:
        return LICENCE_MADE_HERE.at("ZZBS")
    if met.status is LicenceStatus.CANCELLED:
        return LICENCE_ALREADY_CANCELLED.at("ZZBS")
    return LICENCE_STATUS_FINAL.at("ZZBS") if met.status is LicenceStatus.REPLACED else None


def is_outranked(met: Met, comes: Comes) -> bool:
    """Say whether the registered content stays, since a source of higher priority gave it."""
    return met.source_id not in {"", comes.source_id} and comes.priority < met.priority


def status_change(
    previous: LicenceStatus, status: LicenceStatus, source_id: str, batch_id: str, reason: str, at: datetime
) -> StatusChange:
    """Return the line of the history for a status that a register told of."""
    return StatusChange(
        previous,
        status,
        _ACTS[status],
        reason or "来源登记的证照状态变化",
        f"来源 {source_id} 批次 {batch_id}",
        source_id,
        at,
    )
