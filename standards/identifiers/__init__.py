"""Identifiers and their check characters, one module per standard.

``licence``    licence identifier 证照标识 and type code, GB/T 36904 with GB/T 17710 MOD 37,36
``uscc``       unified social credit code 统一社会信用代码, GB 32100, and organisation code, GB 11714
``citizen``    citizen number 公民身份号码, GB 11643
``casenumber`` case number 办件编号 with a check character of our own choice, MOD 37,36
``outcome``    the answer every check gives: valid or not, which rule failed, what would be right
"""

from __future__ import annotations

from standards.identifiers.casenumber import build_case_number, check_case_number
from standards.identifiers.citizen import build_citizen_id, check_citizen_id, citizen_birth_date
from standards.identifiers.licence import (
    LicenceIdentifier,
    build_licence_identifier,
    check_licence_identifier,
    check_licence_identifier_for_issuing,
    check_licence_type_code,
    parse_licence_identifier,
)
from standards.identifiers.outcome import Check
from standards.identifiers.uscc import build_uscc, check_organisation_code, check_uscc

__all__ = [
    "Check",
    "LicenceIdentifier",
    "build_case_number",
    "build_citizen_id",
    "build_licence_identifier",
    "build_uscc",
    "check_case_number",
    "check_citizen_id",
    "check_licence_identifier",
    "check_licence_identifier_for_issuing",
    "check_licence_type_code",
    "check_organisation_code",
    "check_uscc",
    "citizen_birth_date",
    "parse_licence_identifier",
]
