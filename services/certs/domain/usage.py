"""The usage record (用证记录): every read, use and refusal of a licence, kept for its holder to see."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.certs.domain.holder import Holder
from services.certs.domain.purpose import Purpose
from services.certs.domain.use_code.grounds import Grounds

ALLOWED = "allowed"


class UsageKind(StrEnum):
    """What was done with the licence."""

    FIND = "find"
    READ = "read"
    DOCUMENT = "document"
    CONSUME = "consume"
    PRESENT = "present"
    SCAN = "scan"
    ISSUE = "issue"
    ANSWER = "answer"
    COPY = "copy"
    PREVIEW = "preview"
    STATUS = "status"


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
    grounds: Grounds | None = None
    """More than the basis: which consent, article or entrustment, and which version of the licence."""
    version_read: int = 0
    """The version of the licence's record whose data were given; 0 where no data were."""
    is_relied_on: bool = True
    """False where the answer states nothing of this licence that a case could rest on."""

    @property
    def version_given(self) -> int:
        """The version that was read or, where only the grounds name one, that one; 0 for none."""
        return self.version_read or (self.grounds.licence_version if self.grounds else 0)


@dataclass(frozen=True, slots=True)
class ShownUse:
    """A line of the usage record as the holder reads it."""

    usage: Usage
    licence_type_name: str
