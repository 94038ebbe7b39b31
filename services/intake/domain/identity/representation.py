"""Acting for an organisation: proved by its business licence, open to revocation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import FIELD_REQUIRED, Kind, Violation, declare
from standards.identifiers import check_uscc

BUSINESS_LICENCE_TYPE = "11100000MB0143028R001"
"""营业执照 in catalogue/licence_types.yaml."""
REPRESENTATIVE_FIELD = "KZ_FDDBR"
"""法定代表人（经营者） on its face."""
ORGANISATION_NAME_FIELD = "KZ_MC"

REPRESENTATION_NOT_CONFIRMED = declare(
    "REPRESENTATION_NOT_CONFIRMED",
    Kind.FAILED_PRECONDITION,
    "证照库中没有以您为法定代表人（经营者）的有效营业执照",
    "The registry has no business licence in force that names you as legal representative",
)
REPRESENTATION_CONTESTED = declare(
    "REPRESENTATION_CONTESTED",
    Kind.FAILED_PRECONDITION,
    "该单位已有同名的代表人登记，请持证件到综合窗口核对",
    "A namesake of yours represents this organisation already; have it checked at a window",
)
REPRESENTATION_NOT_FOUND = declare(
    "REPRESENTATION_NOT_FOUND",
    Kind.NOT_FOUND,
    "您没有代表该单位办事的授权",
    "You do not represent this organisation",
)


@dataclass(frozen=True, slots=True)
class Representation:
    """A representation (代表关系) of an organisation by a natural person, and the licence that proves it."""

    organisation_id: str
    person_id: str
    licence_id: str
    confirmed_at: datetime
    revoked_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether the person may act for the organisation."""
        return self.revoked_at is None

    def revoked(self, now: datetime) -> Representation:
        """Return it as revoked; the first revocation counts."""
        return self if self.revoked_at else replace(self, revoked_at=now)


def uscc_mistakes(uscc: str) -> list[Violation]:
    """Return what is wrong with a unified social credit code, as ``uscc``."""
    return list(check_uscc(uscc).violations("uscc")) if uscc else [FIELD_REQUIRED.at("uscc")]
