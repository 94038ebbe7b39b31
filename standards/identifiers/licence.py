"""Licence identifier 证照标识 and licence type code 证照类型代码 (GB/T 36904-2018).

``1.2.156.3005.2 . type (21) . issuer (18) . serial . version (3) . check (1)``
Strict when we issue; loose when we import, because identifiers with six-digit issuers and with
wrong check characters circulate: an import flags such a record and does not lose it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from chassis.errors import Kind, Reason, declare
from standards.identifiers.mod3736 import check_character
from standards.identifiers.outcome import Check
from standards.identifiers.uscc import check_uscc

ROOT = "1.2.156.3005.2"
IDENTIFIER_LIMIT = 128
"""Characters of the whole identifier; the widest column seen in exchange tables."""

_TYPE = re.compile(r"[0-9A-Z]{18}[0-9]{3}")
_ISSUER = re.compile(r"[0-9A-Z]{6,18}")
_SERIAL = re.compile(r"[0-9A-Z]{1,64}")
_VERSION = re.compile(r"[0-9]{3}")
_CHECK = re.compile(r"[0-9A-Z]")
_PARTS_AFTER_ROOT = 5


def _rule(name: str, zh: str, en: str) -> Reason:
    return declare(f"LICENCE_IDENTIFIER_{name}", Kind.INVALID_ARGUMENT, zh, en)


ROOT_WRONG = _rule("ROOT_WRONG", "证照标识的根代码不正确", f"The root is not {ROOT}")
PARTS_WRONG = _rule(
    "PARTS_WRONG",
    "证照标识的组成部分缺失、多余或过长",
    "Parts of the identifier are missing, extra or too long",
)
TYPE_WRONG = _rule(
    "TYPE_WRONG", "证照类型代码应为 21 位", "The type code is not 18 characters and three digits"
)
TYPE_DEFINER_WRONG = _rule(
    "TYPE_DEFINER_WRONG",
    "证照类型代码的前 18 位不是有效的统一社会信用代码",
    "The first 18 characters of the type code are no valid unified social credit code",
)
ISSUER_WRONG = _rule("ISSUER_WRONG", "证照颁发机构代码格式不正确", "The issuer code is malformed")
ISSUER_NOT_USCC = _rule(
    "ISSUER_NOT_USCC",
    "证照颁发机构代码不是有效的统一社会信用代码",
    "The issuer is no valid unified social credit code",
)
SERIAL_WRONG = _rule(
    "SERIAL_WRONG",
    "流水号为空、过长或含有不允许的字符",
    "The serial is empty, too long or has a bad character",
)
VERSION_WRONG = _rule("VERSION_WRONG", "版本号应为 001 至 999", "The version is not 001 to 999")
CHECK_WRONG = _rule("CHECK_WRONG", "证照标识校验位不正确，请核对是否抄错", "The check character does not fit")
_RULES = (
    (_TYPE, TYPE_WRONG),
    (_ISSUER, ISSUER_WRONG),
    (_SERIAL, SERIAL_WRONG),
    (_VERSION, VERSION_WRONG),
    (_CHECK, CHECK_WRONG),
)
_PARTS = re.compile(
    rf"{_TYPE.pattern}\.{_ISSUER.pattern}\.{_SERIAL.pattern}\.(?!000){_VERSION.pattern}\.{_CHECK.pattern}"
)
"""All parts at once, for the many that are right."""


@dataclass(frozen=True, slots=True)
class LicenceIdentifier:
    """The parts of an identifier; ``str()`` gives it back with root and check character."""

    type_code: str
    issuer: str
    serial: str
    version: int

    @property
    def body(self) -> str:
        """What the check character covers: everything but root, dots and the check itself."""
        return f"{self.type_code}{self.issuer}{self.serial}{self.version:03d}"

    def __str__(self) -> str:
        parts = (ROOT, self.type_code, self.issuer, self.serial, f"{self.version:03d}")
        return ".".join((*parts, check_character(self.body)))

    def next_version(self) -> LicenceIdentifier:
        """Return the identifier of the next re-issue or change (变更) of the same serial."""
        following = LicenceIdentifier(self.type_code, self.issuer, self.serial, self.version + 1)
        check_licence_identifier(str(following)).require()
        return following


def check_licence_type_code(value: str) -> Check:
    """Check a 21-character type code: USCC of the defining authority and a three-digit sequence."""
    if not _TYPE.fullmatch(value):
        return Check(TYPE_WRONG)
    return Check() if check_uscc(value[:18]).valid else Check(TYPE_DEFINER_WRONG)


def check_licence_identifier(value: str) -> Check:
    """Check as for import and verification: structure and check character.

    A type or issuer whose code is no USCC is a warning here and refused by
    `check_licence_identifier_for_issuing`. Comparison is exact; nothing is trimmed or folded.
    """
    if not value.startswith(ROOT + "."):
        return Check(ROOT_WRONG)
    parts = value[len(ROOT) + 1 :].split(".")
    if len(parts) != _PARTS_AFTER_ROOT or len(value) > IDENTIFIER_LIMIT:
        return Check(PARTS_WRONG)
    type_code, issuer, serial, version, check = parts
    if not _PARTS.fullmatch(".".join(parts)):
        return Check(_broken_part(parts))
    expected = check_character(type_code + issuer + serial + version)
    warnings = _definer_and_issuer_warnings(type_code, issuer)
    return Check(None if check == expected else CHECK_WRONG, expected, warnings)


def _broken_part(parts: Sequence[str]) -> Reason:
    """Return the rule of the first part that is not in its form."""
    for (form, rule), part in zip(_RULES, parts, strict=True):
        if not form.fullmatch(part):
            return rule
    return VERSION_WRONG  # 000


def check_licence_identifier_for_issuing(value: str) -> Check:
    """Check as for licences that we issue: type definer and issuer must be valid USCCs as well."""
    loose = check_licence_identifier(value)
    if loose.valid and loose.warnings:
        return Check(loose.warnings[0], loose.expected_check, loose.warnings[1:])
    return loose


def parse_licence_identifier(value: str) -> LicenceIdentifier:
    """Return the parts of an identifier that passes `check_licence_identifier`; else raise the rule."""
    check_licence_identifier(value).require()
    type_code, issuer, serial, version, _ = value[len(ROOT) + 1 :].split(".")
    return LicenceIdentifier(type_code, issuer, serial, int(version))


def build_licence_identifier(type_code: str, issuer: str, serial: str, version: int = 1) -> str:
    """Return the identifier of a licence we issue; raises the first rule it would break."""
    for form, part, rule in ((_TYPE, type_code, TYPE_WRONG), (_ISSUER, issuer, ISSUER_WRONG)):
        if not form.fullmatch(part):
            raise rule()
    if not _SERIAL.fullmatch(serial):
        raise SERIAL_WRONG()
    value = str(LicenceIdentifier(type_code, issuer, serial, version))
    check_licence_identifier_for_issuing(value).require()
    return value


@lru_cache(maxsize=4096)  # a register names few types and issuers, each many thousand times
def _definer_and_issuer_warnings(type_code: str, issuer: str) -> tuple[Reason, ...]:
    found = []
    if not check_licence_type_code(type_code).valid:
        found.append(TYPE_DEFINER_WRONG)
    if not check_uscc(issuer).valid:
        found.append(ISSUER_NOT_USCC)
    return tuple(found)
