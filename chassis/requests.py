"""The one store of answers: a repeated request gets the stored answer, for gRPC and HTTP alike.

``request_id`` (AIP-155) and ``Idempotency-Key`` are the same thing here. The answer is written in
the transaction of its effect, so a crash leaves both or neither.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

import asyncpg

from chassis.db import Transaction
from chassis.errors import REQUEST_ID_REUSED, REQUEST_IN_PROGRESS
from chassis.fields import FieldCipher

TERMINAL_RETENTION = timedelta(hours=24)
DEPARTMENT_RETENTION = timedelta(days=7)
CLEANUP_ROWS = 1_000
_ANSWER_FIELD = "stored_answer.answer"
_REQUEST_FIELD = "stored_answer.request"

REQUESTS_V1 = (
    """
    CREATE TABLE stored_answer (
        caller text NOT NULL,
        method text NOT NULL,
        request_id uuid NOT NULL,
        fingerprint bytea NOT NULL,
        answer bytea,
        expires_at timestamptz NOT NULL,
        PRIMARY KEY (caller, method, request_id)
    )
    """,
    "CREATE INDEX stored_answer_expires_at ON stored_answer (expires_at)",
)
"""The table of stored answers: statements for a service's first migration."""


class AnswerCipher(Protocol):
    """Encrypts answers at rest: they may hold personal data."""

    def encrypt(self, plain: bytes) -> bytes:
        """Return the ciphertext."""

    def decrypt(self, sealed: bytes) -> bytes:
        """Return the plaintext of ``encrypt``."""


class Unencrypted:
    """For methods whose answers hold ids and states only."""

    def encrypt(self, plain: bytes) -> bytes:
        """Return the bytes as they are."""
        return plain

    def decrypt(self, sealed: bytes) -> bytes:
        """Return the bytes as they are."""
        return sealed


UNENCRYPTED = Unencrypted()


class EncryptedAnswers:
    """On a service's field keys, for answers that hold personal data; implements `AnswerCipher`."""

    def __init__(self, cipher: FieldCipher) -> None:
        self._cipher = cipher

    def encrypt(self, plain: bytes) -> bytes:
        """Return the ciphertext."""
        return self._cipher.encrypt_bytes(plain, field=_ANSWER_FIELD)

    def decrypt(self, sealed: bytes) -> bytes:
        """Return the plaintext of `encrypt`. Raises FIELD_UNREADABLE."""
        return self._cipher.decrypt_bytes(sealed, field=_ANSWER_FIELD)

    def fingerprint(self, *parts: bytes) -> bytes:
        """Return a keyed fingerprint: the plain digest of an identity number could be guessed."""
        return self._cipher.blind_index(fingerprint(*parts).hex(), field=_REQUEST_FIELD)


def fingerprint(*parts: bytes) -> bytes:
    """Return the SHA-256 of a request's content: equal requests, and only they, have equal ones."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


async def once(
    tx: Transaction,
    *,
    caller: str,
    method: str,
    request_id: str,
    fingerprint: bytes,
    work: Callable[[], Awaitable[bytes]],
    cipher: AnswerCipher = UNENCRYPTED,
    retention: timedelta = DEPARTMENT_RETENTION,
) -> bytes:
    """Do the work and store its answer, or return the stored answer of the same request.

    The key is claimed first: equal requests in parallel wait for the one that claimed it and return
    its answer. When the work raises, nothing is stored and a repeat runs anew.
    Raises REQUEST_ID_REUSED for other content under the same id, REQUEST_IN_PROGRESS when the first
    still runs after the lock timeout.
    """
    key = (caller, method, request_id)
    if not await _claim(tx, key, fingerprint, retention):
        return cipher.decrypt(await _stored(tx, key, fingerprint))
    answer = await work()
    await tx.execute(
        "UPDATE stored_answer SET answer = $4 WHERE caller = $1 AND method = $2 AND request_id = $3::uuid",
        *key,
        cipher.encrypt(answer),
    )
    return answer


async def forget_expired(tx: Transaction, *, limit: int = CLEANUP_ROWS) -> int:
    """Delete up to ``limit`` answers past their retention; return how many."""
    rows = await tx.fetch(
        """
        DELETE FROM stored_answer WHERE ctid IN (
            SELECT ctid FROM stored_answer WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
            FOR UPDATE SKIP LOCKED
        ) RETURNING 1
        """,
        tx.now(),
        limit,
    )
    return len(rows)


async def _claim(tx: Transaction, key: tuple[str, str, str], content: bytes, retention: timedelta) -> bool:
    """Insert the row; False when it is there already, after waiting for whoever inserts it now.

    A row past its retention that was not cleaned up yet is claimed anew.
    """
    now = tx.now()
    try:
        claimed = await tx.fetchval(
            """
            INSERT INTO stored_answer AS old (caller, method, request_id, fingerprint, expires_at)
            VALUES ($1, $2, $3::uuid, $4, $5)
            ON CONFLICT (caller, method, request_id) DO UPDATE
            SET fingerprint = excluded.fingerprint, answer = NULL, expires_at = excluded.expires_at
            WHERE old.expires_at <= $6
            RETURNING true
            """,
            *key,
            content,
            now + retention,
            now,
        )
    except asyncpg.LockNotAvailableError as problem:
        raise REQUEST_IN_PROGRESS(retry_after_seconds=1.0) from problem
    return bool(claimed)


async def _stored(tx: Transaction, key: tuple[str, str, str], content: bytes) -> bytes:
    row = await tx.fetchrow(
        """
        SELECT fingerprint, answer FROM stored_answer
        WHERE caller = $1 AND method = $2 AND request_id = $3::uuid
        """,
        *key,
    )
    if row is None or row["answer"] is None:
        raise REQUEST_IN_PROGRESS(retry_after_seconds=1.0)
    if row["fingerprint"] != content:
        raise REQUEST_ID_REUSED()
    return bytes(row["answer"])
