"""Grants: a right to use one seal, for somebody, some kind of document, an item, a case, from and until."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.errors import FIELD_MALFORMED, Kind, Violation, declare, refuse
from services.seal.domain.authorisation.people import decision_mistakes, text_mistakes
from services.seal.domain.register import RegisteredSeal
from standards.persons import is_same_person

SEAL_USE_NOT_GRANTED = declare(
    "SEAL_USE_NOT_GRANTED",
    Kind.PERMISSION_DENIED,
    "未获授权将该印章用于此文书",
    "No grant allows this use of the seal",
)
GRANT_NOT_FOUND = declare("GRANT_NOT_FOUND", Kind.NOT_FOUND, "用印授权不存在", "No such grant of this seal")
GRANT_WITHDRAWN = declare(
    "GRANT_WITHDRAWN", Kind.FAILED_PRECONDITION, "用印授权已撤回", "The grant was withdrawn already"
)
ANY = ""
"""Of a grant's service item or case: every one."""
REGISTRY = "certs"
"""The licence registry, for whose documents every seal has an implicit grant."""
_IMPLICIT = uuid.UUID("5c0b6a42-9d1f-5f0e-8b57-3c4f2f8f6f10")


class DocumentType(StrEnum):
    """What a seal is put under (文书种类)."""

    LICENCE = "licence"
    NOTICE = "notice"
    DECISION = "decision"
    RECEIPT = "receipt"
    CERTIFICATE = "certificate"
    CONTRACT = "contract"
    OTHER = "other"


class GranteeKind(StrEnum):
    """Who a grant is for."""

    DEPARTMENT = "department"
    SERVICE = "service"
    OPERATOR = "operator"
    REVIEWER = "reviewer"


@dataclass(frozen=True, slots=True)
class Purpose:
    """Who wants to use a seal, and for what; `account` is ``kind/name`` as the caller's certificate says."""

    seal_id: str
    owner_code: str
    account: str
    document_type: DocumentType
    service_item: str
    case_id: str
    reviewer: str = ""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The end of a grant, from its moment on."""

    withdrawn_at: datetime
    operator: str
    reason: str
    account: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A right to use a seal (用印授权) from `valid_from` to before `valid_until`, None being without end."""

    grant_id: str
    seal_id: str
    grantee_kind: GranteeKind
    grantee: str
    document_type: DocumentType
    service_item: str
    case_id: str
    valid_from: datetime
    valid_until: datetime | None
    granted_at: datetime
    operator: str
    second_person: str
    reason: str
    account: str
    implicit: bool = False
    withdrawal: Withdrawal | None = None

    def covers(self, purpose: Purpose, now: datetime) -> bool:
        """Return whether it allows this use now."""
        return (
            self.withdrawal is None
            and self.seal_id == purpose.seal_id
            and self.valid_from <= now
            and (self.valid_until is None or now < self.valid_until)
            and self.document_type is purpose.document_type
            and self.service_item in {ANY, purpose.service_item}
            and self.case_id in {ANY, purpose.case_id}
            and self._is_for(purpose)
        )

    def _is_for(self, purpose: Purpose) -> bool:
        if self.grantee_kind is not GranteeKind.REVIEWER:
            return purpose.account == f"{self.grantee_kind}/{self.grantee}"
        # Whom a person is, only the seal's owner and the operators are believed.
        trusted = purpose.account == f"department/{purpose.owner_code}" or purpose.account.startswith(
            "operator/"
        )
        return trusted and bool(purpose.reviewer) and is_same_person(purpose.reviewer, self.grantee)


def grant_for(grants: Iterable[Grant], purpose: Purpose, now: datetime) -> Grant:
    """Return a grant that allows the use, an explicit one before the implicit one, the oldest first.

    Raises:
        SEAL_USE_NOT_GRANTED: There is none.
    """
    covering = [each for each in grants if each.covers(purpose, now)]
    if not covering:
        raise SEAL_USE_NOT_GRANTED()
    return min(covering, key=lambda each: (each.implicit, each.granted_at, each.grant_id))


def implicit_grant(seal: RegisteredSeal, withdrawal: Withdrawal | None) -> Grant:
    """Return the grant that every seal is started with: the registry seals its owner's licences."""
    return Grant(
        grant_id=str(uuid.uuid5(_IMPLICIT, seal.seal_id)),
        seal_id=seal.seal_id,
        grantee_kind=GranteeKind.SERVICE,
        grantee=REGISTRY,
        document_type=DocumentType.LICENCE,
        service_item=ANY,
        case_id=ANY,
        valid_from=seal.valid_from,
        valid_until=None,
        granted_at=seal.valid_from,
        operator="",
        second_person="",
        reason="印章所有者颁发的证照",
        account="",
        implicit=True,
        withdrawal=withdrawal,
    )


def check_grant(grant: Grant) -> None:
    """Refuse a grant that says too little or contradicts itself, naming every wrong field."""
    refuse(_mistakes(grant))


def check_withdrawal(withdrawal: Withdrawal) -> None:
    """Refuse a withdrawal that says too little, naming every wrong field; one person may end a grant at once."""
    refuse(text_mistakes({"operator": withdrawal.operator, "reason": withdrawal.reason}))


def _mistakes(grant: Grant) -> Iterator[Violation]:
    yield from text_mistakes({"grantee": grant.grantee})
    yield from text_mistakes({"service_item": grant.service_item, "case_id": grant.case_id}, required=False)
    yield from decision_mistakes(grant.operator, grant.second_person, grant.reason)
    if grant.valid_until is not None and grant.valid_until <= max(grant.valid_from, grant.granted_at):
        yield FIELD_MALFORMED.at("valid_until")
