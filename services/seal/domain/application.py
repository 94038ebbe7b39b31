"""Applications for seals: applied for, approved by another person or not, withdrawn; an approved one is made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Kind, Violation, declare, refuse
from services.seal.domain.kinds import RULES, SealKind
from services.seal.domain.register import SECOND_PERSON_SAME
from standards.persons import is_same_person

APPLICATION_NOT_FOUND = declare(
    "SEAL_APPLICATION_NOT_FOUND", Kind.NOT_FOUND, "制章申请不存在", "No such application for a seal"
)
APPLICATION_STEP = declare(
    "SEAL_APPLICATION_STEP",
    Kind.FAILED_PRECONDITION,
    "申请当前状态为 {status}，不能变为 {step}",
    "An application that is {status} cannot become {step}",
)
APPLICATION_OPEN = declare(
    "SEAL_APPLICATION_OPEN",
    Kind.FAILED_PRECONDITION,
    "同一印章已有在办的申请",
    "An application for the same seal is open already",
)
SEAL_IN_USE = declare(
    "SEAL_ALREADY_IN_USE",
    Kind.FAILED_PRECONDITION,
    "同名同类印章正在使用",
    "A seal of this owner, kind and name is in use",
)
NOT_TO_REPLACE = declare(
    "SEAL_NOT_TO_REPLACE",
    Kind.FAILED_PRECONDITION,
    "只有挂失的印章可以重制",
    "Only a seal that was reported lost is remade",
)
EXTERNAL_PERSON = declare(
    "SEAL_EXTERNAL_PERSON",
    Kind.INVALID_ARGUMENT,
    "个人名章的证书由制章系统签发，不能导入",
    "A person's seal takes a certificate of the maker's, which states no name; none is imported",
)
_DIVISION = re.compile(r"[0-9]{6}", re.ASCII)
LONGEST_TEXT = 200


class ApplicationStatus(StrEnum):
    """State of an application (制章申请状态)."""

    APPLIED = "applied"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    MADE = "made"
    """Approved, and its seal stands in the register."""


A = ApplicationStatus


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody applies for; an empty picture is drawn from the name, `replaces` names a lost seal.

    `external`: the certificates come from a certification authority of the owner's choice, by way of
    certificate requests, instead of the maker's own.
    """

    kind: SealKind
    owner_code: str
    owner_name: str
    division: str
    name: str = field(repr=False)
    reason: str
    operator: str
    account: str = ""
    line: str = ""
    number: str = ""
    picture: bytes = field(default=b"", repr=False)
    width_mm: int = 0
    height_mm: int = 0
    replaces: str = ""
    external: bool = False

    def check(self, further: Iterable[Violation] = ()) -> None:
        """Do nothing for a sound wish. Raises INVALID_REQUEST naming every wrong field."""
        needed = {
            "owner_code": self.owner_code,
            "owner_name": self.owner_name,
            "division": self.division,
            "name": self.name,
            "reason": self.reason,
            "operator": self.operator,
            **({"line": self.line} if RULES[self.kind].needs_line and not self.picture else {}),
        }
        wrong = [FIELD_REQUIRED.at(name) for name, value in needed.items() if not value.strip()]
        if self.division.strip() and not _DIVISION.fullmatch(self.division):
            wrong.append(FIELD_MALFORMED.at("division"))
        texts = {**needed, "line": self.line, "number": self.number}
        wrong += [
            FIELD_TOO_LONG.at(name, limit=LONGEST_TEXT)
            for name, value in texts.items()
            if len(value) > LONGEST_TEXT
        ]
        if self.external and RULES[self.kind].is_person:
            wrong.append(EXTERNAL_PERSON.at("external"))
        refuse([*wrong, *further])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an application, who says so and why."""

    status: ApplicationStatus
    reason: str
    operator: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    """An application for a seal (制章申请) with everything that was decided on it.

    `seal_id` names the seal once it is made; `name_index` stands for a person's name, which is not shown.
    """

    application_id: str
    wish: Wish
    applied_at: datetime
    status: ApplicationStatus = A.APPLIED
    decided: Verdict | None = None
    decided_at: datetime | None = None
    version: int = 1
    seal_id: str = ""
    name_index: bytes = b""
    letter: bytes = field(default=b"", repr=False)

    @property
    def etag(self) -> str:
        """The entity tag of this version."""
        return f'"{self.version}"'

    @property
    def state(self) -> ApplicationStatus:
        """The state as it is told: an approved application whose seal exists is made."""
        return A.MADE if self.seal_id else self.status

    def judged(self, verdict: Verdict, now: datetime) -> Application:
        """Return the application approved, rejected or withdrawn.

        Raises:
            INVALID_REQUEST: No reason or operator; the one who approves or rejects is the applicant.
            SEAL_APPLICATION_STEP: It was decided already; or, for a withdrawal, its seal is made.
        """
        wrong = [
            FIELD_REQUIRED.at(name)
            for name, value in (("reason", verdict.reason), ("operator", verdict.operator))
            if not value.strip()
        ]
        withdraws = verdict.status is A.WITHDRAWN
        if not withdraws and is_same_person(verdict.operator, self.wish.operator):
            wrong.append(SECOND_PERSON_SAME.at("operator"))
        refuse(wrong)
        if self.state not in ({A.APPLIED, A.APPROVED} if withdraws else {A.APPLIED}):
            raise APPLICATION_STEP(status=self.state, step=verdict.status)
        return replace(self, status=verdict.status, decided=verdict, decided_at=now, version=self.version + 1)
