"""Challenges, sessions and used assertions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime

import asyncpg

from chassis.auth.assertions import TerminalAssertion
from chassis.db import Transaction
from chassis.fields import FieldCipher
from services.intake.domain.identity.challenge import Challenge, ChallengeState
from services.intake.domain.identity.person import CardReading
from services.intake.domain.identity.session import Session
from services.intake.usecases.identity.ports import Waiting

CLAIM_FIELD = "login_challenge.claim"
_SESSION = "session_id, person_id, terminal_id, assurance, opened_at, expires_at, ended_at"


class ChallengeRows:
    """The port ``ChallengeStore`` on one transaction."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._tx, self._cipher = tx, cipher

    async def add(self, waiting: Waiting) -> None:
        """Store a challenge with its claim encrypted."""
        challenge = waiting.challenge
        await self._tx.execute(
            """
            insert into login_challenge (session_id, subject, terminal_id, code_hash, claim, state,
              wrong_tries, sends, opened_at, sent_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """,
            challenge.session_id,
            waiting.subject,
            challenge.terminal_id,
            waiting.code_hash,
            self._seal(waiting),
            challenge.state.value,
            challenge.wrong_tries,
            challenge.sends,
            challenge.opened_at,
            challenge.sent_at,
            challenge.expires_at,
        )

    async def load(self, session_id: str) -> Waiting | None:
        """Return a challenge under a row lock: tries come one after the other."""
        row = await self._tx.fetchrow(
            "select * from login_challenge where session_id = $1 for update", session_id
        )
        return self._waiting(row) if row else None

    async def save(self, challenge: Challenge) -> None:
        """Store the state; the claim goes as soon as the challenge is over."""
        await self._tx.execute(
            """
            update login_challenge set state = $2, wrong_tries = $3, sends = $4, sent_at = $5, failed_at = $6,
              claim = case when $2 = 'open' then claim end
            where session_id = $1
            """,
            challenge.session_id,
            challenge.state.value,
            challenge.wrong_tries,
            challenge.sends,
            challenge.sent_at,
            challenge.failed_at,
        )

    async def failures(self, subject: bytes, since: datetime) -> Sequence[datetime]:
        """Return when challenges of a subject failed, after a moment."""
        rows = await self._tx.fetch(
            """
            select failed_at from login_challenge where subject = $1 and state = 'locked' and failed_at > $2
            """,
            subject,
            since,
        )
        return [row["failed_at"] for row in rows]

    async def forget(self, before: datetime) -> int:
        """Delete challenges opened before a moment; return how many."""
        return len(
            await self._tx.fetch("delete from login_challenge where opened_at < $1 returning 1", before)
        )

    def _seal(self, waiting: Waiting) -> bytes | None:
        if waiting.reading is None:
            return None
        claim = {**waiting.reading.as_claim(), "phone": waiting.phone}
        return self._cipher.encrypt(json.dumps(claim, ensure_ascii=False), field=CLAIM_FIELD)

    def _waiting(self, row: asyncpg.Record) -> Waiting:
        claim = json.loads(self._cipher.decrypt(row["claim"], field=CLAIM_FIELD)) if row["claim"] else None
        challenge = Challenge(
            session_id=row["session_id"],
            terminal_id=row["terminal_id"],
            opened_at=row["opened_at"],
            expires_at=row["expires_at"],
            sent_at=row["sent_at"],
            state=ChallengeState(row["state"]),
            wrong_tries=row["wrong_tries"],
            sends=row["sends"],
            failed_at=row["failed_at"],
        )
        reading = CardReading(claim["id_number"], claim["name"], claim["reader"]) if claim else None
        return Waiting(challenge, row["subject"], row["code_hash"], reading, claim["phone"] if claim else "")


class SessionRows:
    """The port ``SessionStore`` on one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, session: Session) -> None:
        """Store a session."""
        await self._tx.execute(
            f"insert into login_session ({_SESSION}) values ($1, $2, $3, $4, $5, $6, $7)",  # noqa: S608
            *astuple(session),
        )

    async def load(self, session_id: str) -> Session | None:
        """Return a session, or None."""
        row = await self._tx.fetchrow(
            f"select {_SESSION} from login_session where session_id = $1",  # noqa: S608
            session_id,
        )
        return Session(**dict(row)) if row else None

    async def save(self, session: Session) -> None:
        """Store whether it has ended."""
        await self._tx.execute(
            "update login_session set ended_at = coalesce(ended_at, $2) where session_id = $1",
            session.session_id,
            session.ended_at,
        )

    async def live(self, person_id: str | None, now: datetime) -> Sequence[str]:
        """Return the ids of a person's live sessions, of everybody's for None."""
        rows = await self._tx.fetch(
            """
            select session_id from login_session
            where ended_at is null and expires_at > $2 and ($1::text is null or person_id = $1)
            order by session_id
            """,
            person_id,
            now,
        )
        return [row["session_id"] for row in rows]


class AssertionRows:
    """The port ``AssertionStore`` on one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def use(self, assertion: TerminalAssertion) -> bool:
        """Note the use; of two at the same time one waits and gets False."""
        used = await self._tx.fetchval(
            """
            insert into terminal_assertion (terminal_id, jti, expires_at) values ($1, $2, $3)
            on conflict do nothing returning true
            """,
            assertion.terminal_id,
            assertion.jti,
            assertion.expires_at,
        )
        return bool(used)

    async def forget(self, before: datetime) -> int:
        """Delete those that expired before a moment; return how many."""
        return len(
            await self._tx.fetch("delete from terminal_assertion where expires_at < $1 returning 1", before)
        )
