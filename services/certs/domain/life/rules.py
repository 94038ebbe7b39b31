"""What a licence type says of the life of its licences; a type that says nothing gets the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.certs.domain.licence_type import LicenceType
from services.certs.domain.licence_type.terms import TWO_PEOPLE

INSPECTION_NOTICE_DAYS = 60
"""[M]: how long before its last day an inspection is announced."""
RETENTION_YEARS = 30
"""[M]: how long a fallen licence keeps its personal data where its type names no term."""


@dataclass(frozen=True, slots=True)
class LifeRules:
    """What holds for the licences of one type; months and copies of 0 mean none."""

    second_person_acts: frozenset[str] = frozenset(TWO_PEOPLE)
    copies_allowed: int = 0
    inspection_months: int = 0
    inspection_notice_days: int = INSPECTION_NOTICE_DAYS
    retention_years: int = RETENTION_YEARS


def life_rules(kind: LicenceType | None) -> LifeRules:
    """Return the rules of a type; what it does not say, and an unknown type, has the defaults."""
    usual = LifeRules()
    second = getattr(kind, "second_person_acts", None)
    return LifeRules(
        second_person_acts=usual.second_person_acts if second is None else frozenset(second),
        copies_allowed=_number(kind, "copies_allowed", usual.copies_allowed),
        inspection_months=_number(kind, "inspection_months", usual.inspection_months),
        inspection_notice_days=_number(kind, "inspection_notice_days", usual.inspection_notice_days),
        retention_years=_number(kind, "retention_years", usual.retention_years),
    )


def inspected_types(types: Mapping[str, LicenceType]) -> dict[str, LifeRules]:
    """Return the rules of the types whose licences are inspected, by type code."""
    found = {code: life_rules(kind) for code, kind in types.items()}
    return {code: rules for code, rules in found.items() if rules.inspection_months > 0}


def _number(kind: LicenceType | None, name: str, usual: int) -> int:
    said = getattr(kind, name, None)
    return usual if said is None else int(said)
