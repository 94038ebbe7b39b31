"""What a token may still do: its session must live, at its terminal, for whom it may act."""

from __future__ import annotations

from chassis.auth.person import ActingPerson
from chassis.errors import NOT_AUTHENTICATED
from services.intake.domain.identity.representation import REPRESENTATION_NOT_FOUND
from services.intake.domain.identity.session import Session
from services.intake.usecases.identity.ports import IdentityWork, LogIn
from services.intake.usecases.identity.verifying import LoggedIn, logged_in


async def require_session(work: IdentityWork, actor: ActingPerson, terminal_id: str) -> Session:
    """Return the live session of a verified token used at its own terminal.

    Ended sessions and revoked representations count from the next call on. Raises NOT_AUTHENTICATED.
    """
    session = await work.sessions.load(actor.session_id) if actor.session_id else None
    if session is None or not session.live(work.now()):
        raise NOT_AUTHENTICATED()
    if actor.terminal_id != terminal_id or not session.is_of(actor.person_id, terminal_id):
        raise NOT_AUTHENTICATED()
    if actor.acting_for is not None:
        found = await work.representations.load(actor.acting_for, actor.person_id)
        if found is None or not found.active:
            raise NOT_AUTHENTICATED()
    return session


async def end_session(work: IdentityWork, actor: ActingPerson) -> None:
    """Have the session of a token ended; its tokens open nothing from now on."""
    session = await work.sessions.load(actor.session_id) if actor.session_id else None
    if session is not None and session.end(work.now()):
        await work.sessions.save(session)


async def end_sessions(work: IdentityWork, person_id: str | None) -> int:
    """Have every live session of a person ended, of everybody for None; return how many.

    A log-in whose code is still on its way may be finished: it opens a new session.
    """
    ended, now = 0, work.now()
    for session_id in await work.sessions.live(person_id, now):
        session = await work.sessions.load(session_id)
        if session is not None and session.end(now):
            await work.sessions.save(session)
            ended += 1
    return ended


async def act_for(log_in: LogIn, actor: ActingPerson, organisation_id: str | None) -> LoggedIn:
    """Return a token of the same session that acts for an organisation, or for the person again.

    Raises REPRESENTATION_NOT_FOUND unless the person represents it now, NOT_AUTHENTICATED.
    """
    async with log_in.open_work() as work:
        session = await work.sessions.load(actor.session_id or "")
        now = work.now()
        if session is None or not session.live(now):
            raise NOT_AUTHENTICATED()
        if organisation_id is not None:
            found = await work.representations.load(organisation_id, actor.person_id)
            if found is None or not found.active:
                raise REPRESENTATION_NOT_FOUND()
    return logged_in(log_in, session, now, organisation_id)
