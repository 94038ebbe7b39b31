"""Who asks at the sharing door, on which grounds, and the answer in its envelope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from chassis.clock import Clock
from chassis.db import Database, Transaction
from chassis.errors import NOT_AUTHENTICATED, NOT_PERMITTED, Fault, Kind, declare, refuse
from chassis.event import new_event_id
from chassis.limits import Budget, RateLimits
from chassis.rpc.call import caller, enter
from chassis.rpc.suspended import CALLER_SUSPENDED, SuspendedCallers
from chassis.web.boundary import count_refusal
from chassis.web.client import client_peer
from chassis.web.problems import fault_of
from services.certs.api.shapes import Answer, AnswerHead, Grounded, RequestHead
from services.certs.api.statuses import OK, status_of
from services.certs.domain.agreement import Agreement, Agreements
from services.certs.domain.department import Departments
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.purpose import BASIS_REQUIRED, Basis, Purpose
from services.certs.domain.usage import Reader
from services.certs.domain.use_code import Grounds, Mode, article_violations
from services.certs.usecases.ports import Documents, Registry, SummarySigner

SHARING_CALLS = Budget("sharing_calls", 6_000, 60, aligned=True)
"""Of one department in a minute."""
TYPE_NOT_AGREED = declare(
    "TYPE_NOT_AGREED",
    Kind.PERMISSION_DENIED,
    "共享协议不包括该类证照",
    "The sharing agreement does not cover licences of this type",
)


@dataclass(frozen=True, slots=True)
class Door:
    """The tools of the routes: those of gRPC's servicers, and the agreements."""

    database: Database
    registry_of: Callable[[Transaction], Registry]
    documents: Documents
    types: LicenceTypes
    departments: Departments
    signer: SummarySigner
    clock: Clock
    agreements: Agreements
    suspended: SuspendedCallers
    limits: RateLimits

    def enter(self, request: Request, access_id: str = "") -> Reader:
        """Return the department that shows its certificate, as the caller of this request.

        Raises NOT_AUTHENTICATED, also when it calls itself by another name; NOT_PERMITTED for a peer that is no department, CALLER_SUSPENDED.
        """
        peer, certificate = client_peer(request.scope)
        if self.suspended.holds(peer, certificate):
            raise CALLER_SUSPENDED()
        if peer.kind != "department":
            raise NOT_PERMITTED()
        if access_id not in {"", peer.name}:
            raise NOT_AUTHENTICATED()
        enter(replace(caller(), peer=peer))
        return Reader(peer.name, self.departments.find(peer.name).name, True)


@dataclass(frozen=True, slots=True)
class Visit:
    """One call of one department."""

    door: Door
    reader: Reader

    def purpose(self, use_cause: str, stated: Grounded) -> tuple[Purpose, Grounds]:
        """Return purpose and grounds of a call: by the stated article, else by the agreement's.

        Raises INVALID_REQUEST without either; what is wrong with the purpose is told by its use.
        """
        agreed = self.agreement
        article = stated.legalArticle or (agreed.legal_article if agreed else "")
        if not article:
            refuse([BASIS_REQUIRED.at("legalArticle")])
        refuse(article_violations(article, "legalArticle"))
        purpose = Purpose(use_cause, Basis.STATUTORY_DUTY, stated.itemCode, stated.caseId)
        return purpose, Grounds(Mode.STATUTORY_DUTY, legal_article=article)

    @property
    def agreement(self) -> Agreement | None:
        """The agreement of the department, None where it has none."""
        return self.door.agreements.get(self.reader.code)

    def covers(self, type_code: str) -> bool:
        """Say whether the department may ask about licences of a type; without an agreement of any."""
        return self.agreement is None or self.agreement.covers(type_code)

    def check_type(self, type_code: str) -> None:
        """Raise TYPE_NOT_AGREED for a type outside the agreement."""
        if type_code and not self.covers(type_code):
            raise TYPE_NOT_AGREED()


async def answered(
    door: Door, request: Request, head: RequestHead, work: Callable[[Visit], Awaitable[Any]], *, cost: int = 1
) -> Answer:
    """Return what the work gives in its envelope; a refusal as its status, anything untyped as the system's error.

    ``cost`` is how much of the caller's budget it takes.
    """
    try:
        visit = Visit(door, door.enter(request, head.accessId))
        await door.limits.check(SHARING_CALLS, visit.reader.code, cost=cost)
        data = await work(visit)
    except Exception as problem:  # noqa: BLE001 - the last line: nothing untyped leaves
        fault = fault_of(problem)
        count_refusal(request.scope, fault)
        return Answer(head=AnswerHead(status=status_of(fault), message=_message(fault)))
    return Answer(head=AnswerHead(status=OK, message="成功"), data=data)


def new_id() -> str:
    """Return a fresh id, ordered by time."""
    return str(new_event_id())


def _message(fault: Fault) -> str:
    told = "；".join(f"{each.field_path}: {each.zh}" for each in fault.violations)
    return f"{fault.code} {fault.zh}" + (f"（{told}）" if told else "")
