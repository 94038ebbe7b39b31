"""A licence in the registry: what it says, whom it belongs to, where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Kind, declare
from services.certs.domain.holder import Holder
from services.certs.domain.status import LicenceStatus, is_over

FLAG_FACE_FIELD_MISSING = "FACE_FIELD_MISSING"
"""Quality flag of a licence without a value for a face field that its type requires."""

LICENCE_NOT_FOUND = declare("LICENCE_NOT_FOUND", Kind.NOT_FOUND, "没有找到该证照", "No such licence")
LICENCE_NOT_USABLE = declare(
    "LICENCE_NOT_USABLE",
    Kind.FAILED_PRECONDITION,
    "证照当前不可用（状态：{status}）",
    "The licence cannot be used; it is {status}",
)
DOCUMENT_ABSENT = declare(
    "DOCUMENT_ABSENT",
    Kind.FAILED_PRECONDITION,
    "该证照没有加盖电子印章的版式文件",
    "This licence has no sealed document",
)
DOCUMENT_DAMAGED = declare(
    "DOCUMENT_DAMAGED",
    Kind.INTERNAL,
    "证照文件与登记的摘要不一致",
    "The stored document does not match its recorded digest",
)


class Origin(StrEnum):
    """How a licence came into the registry."""

    IMPORTED = "imported"
    MADE = "made"


@dataclass(frozen=True, slots=True)
class Sealing:
    """The documents of a licence and what became of the seal; digests are hex SHA-256."""

    unsealed_sha256: str = ""
    seal_x_mm: float = 0.0
    seal_y_mm: float = 0.0
    sealed_sha256: str = ""
    signature_id: str = ""
    verdict: str = ""
    verified_at: datetime | None = None
    refusal: str = ""


UNSEALED = Sealing()
"""Of a licence without documents; one for all of them, as nothing in it ever changes."""


@dataclass(frozen=True, slots=True)
class Licence:
    """An electronic licence (电子证照): one version of it, with everything in clear.

    ``version`` counts the changes of this record and is its etag; ``serial_version`` is the version
    inside the GB/T 36904 identifier. Licences that re-issue one another share ``lineage_id``.
    """

    licence_id: str
    lineage_id: str
    identifier: str
    type_code: str
    type_name: str
    number: str = field(repr=False)
    issuer_code: str
    issuer_name: str
    county_code: str
    holders: tuple[Holder, ...]
    issued_date: date
    valid_from: date | None
    valid_until: date | None
    status: LicenceStatus
    face: Mapping[str, str] = field(repr=False)
    origin: Origin
    trust_grade: str
    quality_flags: tuple[str, ...] = ()
    version: int = 1
    serial_version: int = 1
    case_id: str = ""
    part_id: str = ""
    item_code: str = ""
    sealing: Sealing = UNSEALED
    type_version: int = 1
    """The version of its type by which it was stored."""
    frozen_for: tuple[str, ...] = ()
    """Whose uses are frozen by a dispute, an empty code for everybody's; told by look-ups of several licences."""

    @property
    def etag(self) -> str:
        """The record's version as callers see it."""
        return f'"{self.version}"'

    def usability(self, now: datetime) -> LicenceStatus:
        """Return the status that counts today: a term that ended at midnight needs no sweep to be over."""
        if self.status in {LicenceStatus.VALID, LicenceStatus.SUSPENDED} and is_over(self.valid_until, now):
            return LicenceStatus.EXPIRED
        return self.status

    def is_usable(self, now: datetime) -> bool:
        """Say whether the licence is in force today."""
        return self.usability(now) is LicenceStatus.VALID

    def is_held_by(self, id_type_code: str, id_number: str) -> bool:
        """Say whether one of the holders has this number."""
        asked = Holder(id_type_code, id_number).index_key
        return any(holder.index_key == asked for holder in self.holders)


def require_usable(licence: Licence, now: datetime) -> None:
    """Raise LICENCE_NOT_USABLE unless the licence is in force today."""
    if not licence.is_usable(now):
        raise LICENCE_NOT_USABLE(status=licence.usability(now))
