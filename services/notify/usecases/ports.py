"""What the use cases need from the outside."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.notify.domain.message import Message, Outcome
from services.notify.domain.template import Channel, Template


@dataclass(frozen=True, slots=True)
class Contents:
    """The personal part of a message; stored encrypted, never logged."""

    title: str
    text: str
    address: str | None
    """A mobile number or an e-mail address, as the channel needs; none for the inbox."""


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """A message as its reader sees it."""

    message: Message
    contents: Contents
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a person is reached; asked of intake for one case."""

    person_id: str
    phone: str
    masked_name: str
    language: str
    email: str = ""


@dataclass(frozen=True, slots=True)
class TakenMessage:
    """A short message as the sandbox took it over."""

    message_id: UUID
    phone: str
    text: str
    taken_at: datetime


class Templates(Protocol):
    """The approved templates."""

    def approved(self, code: str) -> Template:
        """Return the newest approved version. Raises TEMPLATE_UNKNOWN."""


class Messages(Protocol):
    """The messages of one open transaction."""

    async def add(self, message: Message, contents: Contents) -> Message:
        """Store a message and return it, or return the one its source and channel already have."""

    async def claim_due(self, channel: Channel, now: datetime, limit: int) -> Sequence[Message]:
        """Lock and return a channel's messages whose next attempt is due and that nobody else holds."""

    async def contents(self, message_id: UUID) -> Contents:
        """Return the personal part."""

    async def save(self, message: Message) -> None:
        """Store state, attempts and version."""

    async def open_attempt(self, message: Message, provider: str, at: datetime) -> None:
        """Enter an attempt into the send ledger before the provider is called."""

    async def close_attempt(self, message: Message, provider: str, outcome: Outcome, at: datetime) -> None:
        """Enter the provider's answer."""

    async def doubtful(self, message_id: UUID) -> Sequence[str]:
        """Return the providers that were called and of whose answer nothing is known, latest first."""

    async def settle(self, message_id: UUID, provider: str, outcome: Outcome, at: datetime) -> None:
        """Enter what a provider said of its earlier calls when it was asked."""

    def publish_sent(self, message: Message, at: datetime) -> None:
        """Have MessageSent leave with this transaction."""

    def publish_failed(self, message: Message, at: datetime) -> None:
        """Have MessageFailed leave with this transaction."""


class Inbox(Protocol):
    """The in-app messages of one person, in one open transaction."""

    async def entries(
        self, person_id: str, before: str | None, limit: int, *, unread_only: bool
    ) -> Sequence[InboxEntry]:
        """Return the person's messages, newest first, older than the given message."""

    async def mark_read(self, person_id: str, message_id: UUID, at: datetime) -> InboxEntry | None:
        """Mark a message of this person as read once; None if there is no such message."""


class UnitOfWork(Protocol):
    """Opens one transaction over the messages."""

    def __call__(self) -> AbstractAsyncContextManager[Messages]:
        """Return the transaction as a context manager; it commits at the end of the block."""


class Provider(Protocol):
    """What takes messages of one channel over: a short-message gateway, a mail server."""

    name: str

    async def send(self, message_id: UUID, contents: Contents) -> Outcome:
        """Hand a message over once; the id lets the provider refuse a repeat. Never raises."""

    async def find(self, message_id: UUID) -> Outcome:
        """Say what became of an earlier call: TAKEN, REFUSED, NEVER_ARRIVED, or UNKNOWN for now.

        LOST where it can never be known. Never raises.
        """


class Store(Messages, Inbox, Protocol):
    """Everything kept about messages, in one open transaction."""


class Contacts(Protocol):
    """Where persons are reached; asked of intake."""

    async def of(self, person_id: str, case_id: str) -> Contact:
        """Return a person's contact for one case. Raises PEER_UNAVAILABLE."""
