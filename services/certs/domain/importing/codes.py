"""Codes inside an imported row: the county of the issuer, the identifier's flags, the status word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from services.certs.domain.status import LicenceStatus
from standards.identifiers import check_licence_identifier, check_licence_type_code, check_uscc
from standards.identifiers.licence import ROOT

FLAG_IDENTIFIER_DISAGREES = "LICENCE_IDENTIFIER_DISAGREES_WITH_ROW"
_DIVISION = re.compile(r"\d{6}", re.ASCII)
_PARTS = 5

STATUS_WORDS: dict[str, LicenceStatus] = {
    **{str(status): status for status in LicenceStatus if status not in {"draft", "pending_seal"}},
    "有效": LicenceStatus.VALID,
    "现势": LicenceStatus.VALID,
    "暂扣": LicenceStatus.SUSPENDED,
    "冻结": LicenceStatus.SUSPENDED,
    "过期": LicenceStatus.EXPIRED,
    "失效": LicenceStatus.EXPIRED,
    "换发": LicenceStatus.REPLACED,
    "变更作废": LicenceStatus.REPLACED,
    "注销": LicenceStatus.CANCELLED,
    "撤销": LicenceStatus.REVOKED,
    "吊销": LicenceStatus.FORFEITED,
}
"""Status words seen in departmental registers; what is not here is kept out of use until mapped."""


def county_of(issuer_code: str) -> str:
    """Return the division of an issuer: characters 3 to 8 of a credit code, or the six digits themselves.

    Empty when the code tells no division.
    """
    if _DIVISION.fullmatch(issuer_code):
        return issuer_code
    inside = issuer_code[2:8] if len(issuer_code) == 18 else ""  # GB 32100
    return inside if _DIVISION.fullmatch(inside) else ""


def identifier_flags(given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the quality flags of identifier, type code and issuer code; the values stay as received."""
    identifier, type_code, issuer = given["ZZBS"], given["ZZLXDM"], given["ZZBFJGDM"]
    flags = [
        *check_licence_identifier(identifier).flags,
        *_type_flags(type_code),
        *_issuer_flags(issuer),
    ]
    parts = _parts(identifier)
    if parts and (parts[0], parts[1]) != (type_code, issuer):
        flags.append(FLAG_IDENTIFIER_DISAGREES)
    return tuple(flags)


def issuer_inside(identifier: str) -> str:
    """Return the issuer's code inside an identifier, empty when it has none that can be read."""
    parts = _parts(identifier)
    return parts[1] if parts else ""


def serial_version_of(identifier: str) -> int:
    """Return the version inside an identifier, 1 when it has none that can be read."""
    parts = _parts(identifier)
    return int(parts[3]) if parts and parts[3].isdecimal() and len(parts[3]) == 3 else 1


def lineage_key(identifier: str) -> str:
    """Return what all versions of one licence share: type, issuer and serial; else the whole identifier."""
    parts = _parts(identifier)
    return ".".join(parts[:3]) if parts else identifier


def register_name(type_code: str, issuer_code: str) -> str:
    """Return the name of a register, under which those who add licences to it wait for each other."""
    return f"{type_code}|{issuer_code}"


def read_status(word: str) -> tuple[LicenceStatus, bool]:
    """Return the status of a register's word, and whether it is a known one.

    No word means in force. An unknown word is treated as not usable until somebody maps it.
    """
    if not word:
        return LicenceStatus.VALID, True
    found = STATUS_WORDS.get(word)
    return (found, True) if found else (LicenceStatus.SUSPENDED, False)


@lru_cache(maxsize=4096)  # a register names few types and issuers, each many thousand times
def _type_flags(type_code: str) -> tuple[str, ...]:
    return check_licence_type_code(type_code).flags


@lru_cache(maxsize=4096)
def _issuer_flags(issuer: str) -> tuple[str, ...]:
    return check_uscc(issuer).flags


@lru_cache(maxsize=16)  # a row asks several times
def _parts(identifier: str) -> tuple[str, ...]:
    if not identifier.startswith(ROOT + "."):
        return ()
    parts = tuple(identifier[len(ROOT) + 1 :].split("."))
    return parts if len(parts) == _PARTS else ()
