"""Where items are offered and by whom: divisions, departments, staff."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Text:
    """A text for people: Chinese first, English beside it."""

    zh: str
    en: str


class DivisionLevel(StrEnum):
    """The five levels of administration."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    TOWN = "town"
    VILLAGE = "village"


class StaffRole(StrEnum):
    """What a member of staff may do in a case."""

    WINDOW_CLERK = "window_clerk"
    REVIEWER = "reviewer"
    CHIEF_REPRESENTATIVE = "chief_representative"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Division:
    """Administrative division 行政区划 by its GB/T 2260 code of six digits; a province has no parent."""

    code: str
    zh: str
    en: str
    level: DivisionLevel
    parent: str


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A post with its staff number; who holds it is known to identity, not to the catalogue."""

    staff_id: str
    role: StaffRole


@dataclass(frozen=True, slots=True)
class Department:
    """Department 部门 of one division, identified by its unified social credit code."""

    department_id: str
    uscc: str
    name: Text
    division: str
    sector: str
    seal_name: str
    window: Text
    open_hours: str
    staff: tuple[StaffMember, ...]

    def staff_with(self, role: StaffRole) -> tuple[StaffMember, ...]:
        """Return the posts with a role, in the order of the data."""
        return tuple(member for member in self.staff if member.role is role)
