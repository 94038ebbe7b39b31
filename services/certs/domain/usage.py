"""The usage record (用证记录): every read, use and refusal of a licence, kept for its holder to see."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.certs.domain.holder import Holder
from services.certs.domain.purpose import Purpose

ALLOWED = "allowed"


class UsageKind(StrEnum):
    """What was done with the licence."""

    FIND = "find"
    READ = "read"
    DOCUMENT = "document"
    CONSUME = "consume"
    PRESENT = "present"
    SCAN = "scan"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: a department by its credit code, or a service of ours."""

    code: str
    name: str
    is_department: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """One line of the usage record; ``outcome`` is ``allowed`` or the reason of the refusal.

    ``licence_id`` is empty when nothing was found, ``holder`` is None when nobody can be named.
    """

    usage_id: str
    kind: UsageKind
    reader: Reader
    purpose: Purpose
    used_at: datetime
    outcome: str = ALLOWED
    licence_id: str = ""
    use_code_id: str = ""
    holder: Holder | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ShownUse:
    """A line of the usage record as the holder reads it."""

    usage: Usage
    licence_type_name: str
