"""Departments and terminals as the catalogue names them: whom the local stack can act as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from chassis.datafiles import read_tree
from chassis.errors import Kind, declare

DEPARTMENT_UNKNOWN = declare(
    "DEPARTMENT_UNKNOWN",
    Kind.NOT_FOUND,
    "目录中没有 {county} 的部门 {department}",
    "The catalogue has no department {department} in {county}",
)
REGISTRY_KEEPER_SECTOR = "01"
"""政务服务和数据管理局: keeps the county's licence library and sends its registers."""


class _Text(BaseModel):
    zh: str
    en: str


class _Staff(BaseModel):
    staff_id: str
    role: str


class _Department(BaseModel):
    department_id: str
    uscc: str
    name: _Text
    division: str
    sector: str
    staff: list[_Staff]


@dataclass(frozen=True, slots=True)
class Office:
    """A department with its staff by role."""

    department_id: str
    uscc: str
    name_zh: str
    county: str
    sector: str
    staff: tuple[tuple[str, str], ...]
    """(staff_id, role)."""

    def staff_of(self, *roles: str) -> tuple[str, ...]:
        """Return the ids of staff with one of the roles, in the order of the roles."""
        return tuple(each for role in roles for each, held in self.staff if held == role)


_DEPARTMENTS = TypeAdapter(list[_Department])


def read_offices(catalogue: Path) -> tuple[Office, ...]:
    """Return the departments of a catalogue. Raises DEPARTMENT_UNKNOWN where there is none."""
    content = read_tree(catalogue).files.get("departments.yaml")
    values = content.get("departments") if isinstance(content, dict) else None
    if not values:
        raise DEPARTMENT_UNKNOWN(county="-", department=catalogue)
    return tuple(
        Office(
            each.department_id,
            each.uscc,
            each.name.zh,
            each.division,
            each.sector,
            tuple((member.staff_id, member.role) for member in each.staff),
        )
        for each in _DEPARTMENTS.validate_python(values)
    )


def registry_keeper(offices: Sequence[Office], county: str) -> Office:
    """Return the department that keeps a county's licence library. Raises DEPARTMENT_UNKNOWN."""
    return _one(offices, county, "", lambda office: office.sector == REGISTRY_KEEPER_SECTOR)


def office_by_uscc(offices: Sequence[Office], county: str, uscc: str) -> Office:
    """Return a county's department by its code. Raises DEPARTMENT_UNKNOWN."""
    return _one(offices, county, uscc, lambda office: office.uscc == uscc)


def office_by_id(offices: Sequence[Office], department_id: str) -> Office:
    """Return a department by its id in the catalogue. Raises DEPARTMENT_UNKNOWN."""
    return _one(offices, department_id[:6], department_id, lambda each: each.department_id == department_id)


def _one(offices: Sequence[Office], county: str, named: str, fits: object) -> Office:
    assert callable(fits)
    found = next((office for office in offices if office.county == county and fits(office)), None)
    if found is None:
        raise DEPARTMENT_UNKNOWN(county=county, department=named or REGISTRY_KEEPER_SECTOR)
    return found
