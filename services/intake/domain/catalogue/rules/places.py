"""Divisions, departments, staff and the calendar."""

from __future__ import annotations

from chassis.errors import Violation
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.catalogue.places import Department, StaffRole
from services.intake.domain.catalogue.rules.reasons import CODE_WRONG, contradiction, repeated, unknown
from standards.identifiers import check_uscc

_DIVISION_LENGTH = 6


def place_mistakes(catalogue: Catalogue) -> list[Violation]:
    """Return what is wrong with divisions, departments and the calendar."""
    found = []
    for division in catalogue.divisions.values():
        path = f"divisions.csv: {division.code}"
        if len(division.code) != _DIVISION_LENGTH or not division.code.isdigit():
            found.append(CODE_WRONG.at(path, value=division.code, problem="not six digits"))
        found += unknown(path, "division", filter(None, [division.parent]), catalogue.divisions)
    for department in catalogue.departments.values():
        found += _department_mistakes(catalogue, department)
    departments = catalogue.departments.values()
    found += repeated("departments.yaml: uscc", [each.uscc for each in departments])
    staff = [member.staff_id for each in departments for member in each.staff]
    found += repeated("departments.yaml: staff", staff)
    for year in catalogue.calendar.years.values():
        for problem in year.mistakes():
            found += contradiction(f"calendar/{year.year}.yaml", problem, when=True)
    return found


def _department_mistakes(catalogue: Catalogue, department: Department) -> list[Violation]:
    path = f"departments.yaml: {department.department_id}"
    check = check_uscc(department.uscc)
    found = [
        CODE_WRONG.at(
            f"{path}.uscc", value=department.uscc, problem=f"{flag}, expected {check.expected_check}"
        )
        for flag in check.flags
    ]
    found += unknown(f"{path}.division", "division", [department.division], catalogue.divisions)
    elsewhere = department.uscc[2:8] != department.division
    found += contradiction(f"{path}.uscc", "code of another division", when=elsewhere)
    for role in (StaffRole.REVIEWER, StaffRole.CHIEF_REPRESENTATIVE):
        missing = not department.staff_with(role)
        found += contradiction(f"{path}.staff", f"no {role}: nobody could decide", when=missing)
    return found
