"""What a catalogue directory says of licence types and departments."""

from __future__ import annotations

from pathlib import Path

from chassis.datafiles import read_tree
from services.certs.domain.department import Departments, parse_departments
from services.certs.domain.licence_type import LicenceTypes, parse_licence_types


def read_catalogue(directory: Path) -> tuple[LicenceTypes, Departments]:
    """Return the licence types and departments of a catalogue directory.

    Raises LICENCE_TYPES_MALFORMED, DEPARTMENTS_MALFORMED, or the fault of an unreadable file.
    """
    files = read_tree(directory).files
    types = parse_licence_types(files.get("licence_types.yaml"))
    return types, parse_departments(files.get("departments.yaml"))
