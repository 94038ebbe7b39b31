"""The departments of the catalogue: whose credit code it is and in which county it works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.errors import Kind, declare
from services.certs.domain.importing.codes import county_of

DEPARTMENTS_MALFORMED = declare(
    "DEPARTMENTS_MALFORMED",
    Kind.FAILED_PRECONDITION,
    "部门目录有误：{cause}",
    "The catalogue's departments are wrong: {cause}",
)


@dataclass(frozen=True, slots=True)
class Department:
    """A department (部门) as a caller: its unified social credit code, name and county."""

    code: str
    name: str
    county_code: str
    sector: str = ""
    """行业/部门, two digits as in the catalogue."""


class Departments:
    """The known departments; a certified department that is not listed is known by its code alone."""

    def __init__(self, listed: Mapping[str, Department]) -> None:
        self._listed = listed

    @property
    def codes(self) -> frozenset[str]:
        """The codes of the listed ones, in capitals."""
        return frozenset(code.upper() for code in self._listed)

    def find(self, code: str) -> Department:
        """Return a department by its credit code; of an unlisted one the county is read from the code."""
        return self._listed.get(code) or Department(code, "", county_of(code))


def parse_departments(document: object) -> Departments:
    """Return the departments of ``departments.yaml``. Raises DEPARTMENTS_MALFORMED."""
    entries = document.get("departments") if isinstance(document, Mapping) else None
    if not isinstance(entries, Sequence):
        raise DEPARTMENTS_MALFORMED(cause="departments is missing")
    try:
        listed = [
            Department(str(e["uscc"]), str(e["name"]["zh"]), str(e["division"]), str(e.get("sector", "")))
            for e in entries
        ]
    except (KeyError, TypeError) as problem:
        raise DEPARTMENTS_MALFORMED(cause=repr(problem)) from problem
    return Departments({each.code: each for each in listed})
