"""Have a witness outside see every newer checkpoint, and raise the alarm when it saw another log than ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Protocol

from chassis.tlog.note import Verifier, parse_note, signed_at
from chassis.tlog.witness import Request
from services.certs.usecases.log import Book, Published, consistency

Books = Callable[[], AbstractAsyncContextManager[Book]]
"""Opens the log in a transaction of its own."""


class Said(Protocol):
    """A witness's answer."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def text(self) -> str:
        """The body."""


Ask = Callable[[Request], Awaitable[Said]]


class Outcome(StrEnum):
    """What came of asking a witness."""

    NOTHING_NEW = "nothing_new"
    COSIGNED = "cosigned"
    DISAGREES = "disagrees"
    """It has seen a log of ours that this one is no later state of: the alarm."""
    REFUSED = "refused"
    """It does not know us, or its answer is no cosignature."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking, and for which checkpoint."""

    outcome: Outcome
    size: int = 0
    detail: str = ""


async def cosign(books: Books, witness: Verifier, ask: Ask, now: datetime) -> Asked:
    """Ask a witness to sign the newest checkpoint, and keep its cosignature beside it."""
    async with books() as book:
        newest, seen = await book.newest(), await book.cosigned_size(witness.name)
        if newest is None or newest.size <= seen:
            return Asked(Outcome.NOTHING_NEW, seen)
        proof = await consistency(book, seen, newest.size)
    answer = await ask(Request(seen, proof, newest.note))
    if answer.status == HTTPStatus.CONFLICT:  # it knows another size than we remember
        known = _size(answer.text)
        if known is None or known > newest.size or known == seen:
            return Asked(Outcome.DISAGREES, newest.size, f"it has seen {answer.text.strip()[:20]}")
        async with books() as book:
            proof = await consistency(book, known, newest.size)
        answer = await ask(Request(known, proof, newest.note))
    return await _keep(books, witness, newest, answer, now)


async def _keep(books: Books, witness: Verifier, newest: Published, answer: Said, now: datetime) -> Asked:
    if answer.status in {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
        return Asked(Outcome.DISAGREES, newest.size, f"status {answer.status}")
    if answer.status != HTTPStatus.OK:
        return Asked(Outcome.REFUSED, newest.size, f"status {answer.status}")
    text = parse_note(newest.note).text
    lines = [line for line in answer.text.split("\n") if signed_at(text, line, witness) is not None]
    if not lines:
        return Asked(Outcome.REFUSED, newest.size, "no cosignature of its key")
    async with books() as book:
        await book.cosign(newest.size, witness.name, lines[0], now)
    return Asked(Outcome.COSIGNED, newest.size)


def _size(text: str) -> int | None:
    stripped = text.strip()
    return int(stripped) if stripped.isascii() and stripped.isdigit() and len(stripped) < 20 else None
