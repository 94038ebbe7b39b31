"""Log in, log out, act for an organisation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from services.intake.api.doors import DoorsHere, EnteredHere, TerminalHere, limited, source_of
from services.intake.api.log_in_lines import CARD, log_out_told, told
from services.intake.api.shapes import UUID_PATTERN, Body, View
from services.intake.domain.identity.person import CardReading
from services.intake.usecases.identity.opening import Opened, open_session, resend_code
from services.intake.usecases.identity.ports import Allowance
from services.intake.usecases.identity.sessions import act_for, end_session
from services.intake.usecases.identity.verifying import LoggedIn, verify_code

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])
TRIES_BY_SOURCE = Allowance("code_tries_by_source", 120, 60)
"""By address, not by terminal: nobody elsewhere can use up a terminal's tries."""
SessionId = Annotated[str, Path(pattern=UUID_PATTERN)]


class ReadingBody(Body):
    """What the card reader read; the assertion's claim ``bnd`` is the SHA-256 of these three values."""

    id_number: str = Field(min_length=1, max_length=18)
    name: str = Field(min_length=1, max_length=60)
    reader: str = Field(min_length=1, max_length=20)


class OpenBody(Body):
    """A card read at a terminal; ``phone`` is needed at a person's first log-in only."""

    assertion: str = Field(min_length=1, max_length=2_048)
    reading: ReadingBody
    phone: str | None = Field(default=None, max_length=20)


class OpenedView(View):
    """A code is on its way."""

    session_id: str
    phone_masked: str
    expires_at: datetime
    resend_after_seconds: int


class CodeBody(Body):
    """The six digits."""

    code: str = Field(pattern=r"^[0-9]{6}$")


class TokenView(View):
    """A bearer token for this terminal; it ends with the session, at most 15 minutes after the log-in."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a word of RFC 6750
    expires_at: datetime
    person_id: str
    assurance: int
    terminal_id: str
    """What ``X-Terminal-Id`` has to say beside the token."""
    acting_for: str | None = None


class ActingBody(Body):
    """For whom to act: an organisation the person represents, or null for themselves."""

    organisation_id: str | None = Field(default=None, pattern=UUID_PATTERN)


@router.post("", status_code=202, summary="读取证件并发送验证码")
async def open_a_session(request: Request, body: OpenBody, doors: DoorsHere) -> OpenedView:
    """Begin a log-in: the terminal's single-use assertion over a card reading. A code goes out by SMS."""
    reading = CardReading(body.reading.id_number, body.reading.name, body.reading.reader)
    source = source_of(request)
    opened = open_session(doors.log_in, body.assertion, reading, body.phone, source)
    return _opened(await told(CARD, opened))


@router.post(
    "/{session_id}/resend",
    status_code=202,
    dependencies=[limited(TRIES_BY_SOURCE)],
    summary="重发验证码",
)
async def resend_the_code(
    request: Request, session_id: SessionId, terminal: TerminalHere, doors: DoorsHere
) -> OpenedView:
    """Send the same code again, a minute after the last time at the earliest."""
    return _opened(await told(CARD, resend_code(doors.log_in, session_id, terminal, source_of(request))))


@router.post("/{session_id}/verify", dependencies=[limited(TRIES_BY_SOURCE)], summary="核对验证码并登录")
async def verify_the_code(
    session_id: SessionId, body: CodeBody, terminal: TerminalHere, doors: DoorsHere
) -> TokenView:
    """Finish the log-in. A person's first one registers them. Every failure has the same answer."""
    return token_view(await told(CARD, verify_code(doors.log_in, session_id, terminal, body.code)))


@router.post("/current/acting", summary="切换办事主体")
async def act_for_an_organisation(body: ActingBody, entered: EnteredHere, doors: DoorsHere) -> TokenView:
    """Return a token of the same session that acts for an organisation, or for the person again."""
    found = await act_for(doors.log_in, entered.person, body.organisation_id)
    return token_view(found, body.organisation_id)


@router.delete("/current", status_code=204, summary="结束办理并退出")
async def end_the_session(entered: EnteredHere, doors: DoorsHere, response: Response) -> None:
    """End the session here and now: its tokens open nothing any more, the browser forgets what it kept."""
    response.headers["clear-site-data"] = '"cache", "cookies", "storage"'
    async with doors.log_in.open_work() as work:
        await end_session(work, entered.person)
    log_out_told(entered.session.session_id, entered.session.person_id)


def _opened(opened: Opened) -> OpenedView:
    return OpenedView(
        session_id=opened.session_id,
        phone_masked=opened.phone_masked,
        expires_at=opened.expires_at,
        resend_after_seconds=opened.resend_after_seconds,
    )


def token_view(found: LoggedIn, acting_for: str | None = None) -> TokenView:
    """Return a token as its holder gets it."""
    return TokenView(
        access_token=found.token,
        expires_at=found.expires_at,
        person_id=found.session.person_id,
        assurance=found.session.assurance,
        terminal_id=found.session.terminal_id,
        acting_for=acting_for,
    )
