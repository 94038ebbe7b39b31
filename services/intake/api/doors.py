"""What the routes work with, and who may pass: dependencies of every route."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, cast

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from chassis.auth import ActingPerson, KeysSource, TokenVerifier
from chassis.db import Transaction
from chassis.errors import NOT_AUTHENTICATED
from chassis.requests import EncryptedAnswers
from chassis.rpc.call import Caller, calling, current_call
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.identity.session import Session
from services.intake.domain.identity.terminals import Terminal
from services.intake.usecases.cases.ports import Files, Licences, SignDocument, Work
from services.intake.usecases.entrustment_ports import EntrustmentRegistry, OpenEntrustments
from services.intake.usecases.file_verification import FileReport
from services.intake.usecases.holdings import Holdings
from services.intake.usecases.identity.platform_log_in import PlatformLogIn
from services.intake.usecases.identity.ports import Allowance, LicenceRegistry, Limits, LogIn
from services.intake.usecases.identity.sessions import require_session
from services.intake.usecases.inbox import Inbox
from services.intake.usecases.licences import SealVerifier, Wallet
from services.intake.usecases.uploads import Inspector

TERMINAL_ID_LIMIT = 64


class WorkInTransaction(Work, Protocol):
    """Work on cases whose transaction is at hand, for stored answers."""

    @property
    def tx(self) -> Transaction:
        """The transaction."""
        ...


class SealVerifierOfFiles(SealVerifier, Protocol):
    """Verification of sealed documents, and of files of either kind."""

    async def verify_file(self, content: bytes) -> FileReport:
        """Return the report on an OFD or a PDF as of now. Raises FILE_KIND_UNKNOWN."""
        ...


OpenCases = Callable[[], AbstractAsyncContextManager[WorkInTransaction]]


@dataclass(frozen=True, slots=True)
class Doors:
    """Everything behind the routes."""

    cases: OpenCases
    catalogue: Callable[[], Catalogue]
    terminals: Mapping[str, Terminal]
    licences: Licences
    files: Files
    sign: SignDocument
    log_in: LogIn
    registry: LicenceRegistry
    verifier: TokenVerifier
    limits: Limits
    answers: EncryptedAnswers
    wallet: Wallet
    holdings: Holdings
    open_entrustments: OpenEntrustments
    entrustments: EntrustmentRegistry
    seals: SealVerifierOfFiles
    inbox: Inbox
    inspector: Inspector
    receipt_keys: KeysSource
    """Public keys of intake's receipts and tokens; published at ``/.well-known/jwks.json``."""
    platform: PlatformLogIn | None = None
    """The identity platform, where one is connected."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A person whose session lives, at its terminal."""

    person: ActingPerson
    session: Session

    @property
    def key(self) -> str:
        """Who owns an ``Idempotency-Key``: the person, and the organisation acted for."""
        acting_for = self.person.acting_for
        return f"web|person/{self.person.person_id}" + (f"|for/{acting_for}" if acting_for else "")


def carrying(doors: Doors) -> Callable[[Request], None]:
    """Return the dependency of the whole router that puts ``doors`` where `doors_of` finds them."""

    def carry(request: Request) -> None:
        request.state.doors = doors

    return carry


def doors_of(request: Request) -> Doors:
    """Return what the routes work with."""
    return cast("Doors", request.state.doors)


DoorsHere = Annotated[Doors, Depends(doors_of)]


def terminal_id(
    x_terminal_id: Annotated[str, Header(alias="X-Terminal-Id", min_length=1, max_length=TERMINAL_ID_LIMIT)],
) -> str:
    """Return which terminal a request says it comes from; it is believed where a session is bound to it."""
    return x_terminal_id


TerminalHere = Annotated[str, Depends(terminal_id)]
_bearer = HTTPBearer(auto_error=False, description="Token of POST /v1/sessions/{session_id}/verify")
BearerHere = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def enter(
    doors: DoorsHere, bearer: BearerHere, x_terminal_id: Annotated[str | None, Header()] = None
) -> AsyncIterator[Entered]:
    """Yield who acts, with their token passed on to the services asked meanwhile.

    Raises NOT_AUTHENTICATED for a missing, wrong or expired token, an ended session, another terminal
    and a revoked representation alike.
    """
    if bearer is None or not x_terminal_id:
        raise NOT_AUTHENTICATED()
    token = bearer.credentials
    person = doors.verifier.verify(token)
    async with doors.log_in.open_work() as work:
        session = await require_session(work, person, x_terminal_id)
    call = current_call() or Caller(None)
    with calling(dataclasses.replace(call, person=person, token=token)):
        yield Entered(person, session)


EnteredHere = Annotated[Entered, Depends(enter)]


def source_of(request: Request) -> str:
    """Return the network address a request comes from; a proxy's word counts only where it is trusted."""
    return request.client.host if request.client else "unknown"


def limited(allowance: Allowance) -> Any:
    """Return a dependency that takes one try of an allowance for the address a request comes from."""

    async def check(request: Request, doors: DoorsHere) -> None:
        await doors.limits.check(allowance, source_of(request))

    return Depends(check)
