"""The life of one message: states, attempts, and what follows from a provider's answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.notify.domain.template import Category, Channel

RETRY_AFTER = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=2),
)
"""Wait before each further attempt; one attempt more than its length, then a named end state."""

MAX_ATTEMPTS = len(RETRY_AFTER) + 1

SENDING_LEASE = {
    Channel.SMS: timedelta(seconds=20),
    Channel.EMAIL: timedelta(minutes=3),
    Channel.INBOX: timedelta(0),
}
"""How long a worker may hold a message: longer than it asks and calls every provider once. After that the
providers it called are asked before anything is sent again."""


class MessageState(StrEnum):
    """Where a message stands. The last four are final."""

    CREATED = "created"
    SENDING = "sending"
    TEMPORARY_FAILURE = "temporary_failure"
    SENT = "sent"
    DELIVERED = "delivered"
    PERMANENT_FAILURE = "permanent_failure"
    TECHNICAL_FAILURE = "technical_failure"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        """Whether no attempt follows."""
        return self not in (MessageState.CREATED, MessageState.SENDING, MessageState.TEMPORARY_FAILURE)


class Outcome(StrEnum):
    """A provider's answer to one attempt."""

    TAKEN = "taken"
    REFUSED_FOR_NOW = "refused_for_now"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """The call ended without an answer: it may or may not have been taken."""
    NEVER_ARRIVED = "never_arrived"
    """The provider was asked and has nothing of it: it may be sent again."""
    LOST = "lost"
    """As unknown, of a provider that cannot be asked (SMTP): it is never sent again."""

    @property
    def settled(self) -> bool:
        """Whether it is certain what became of the call."""
        return self is not Outcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class Message:
    """A message (消息) to one person over one channel."""

    message_id: UUID
    source_key: str
    channel: Channel
    category: Category
    template_code: str
    template_version: int
    language: str
    person_id: str | None
    case_id: str | None
    state: MessageState
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    expires_at: datetime | None

    def started(self, now: datetime) -> Message:
        """Return the message as held by a worker for one attempt.

        An expired message is not sent: it is returned in its final state instead.
        """
        if self.expires_at is not None and now >= self.expires_at:
            return replace(self, state=MessageState.EXPIRED, next_attempt_at=None)
        return replace(
            self,
            state=MessageState.SENDING,
            attempts=self.attempts + 1,
            next_attempt_at=now + SENDING_LEASE[self.channel],
        )

    def answered(self, outcome: Outcome, now: datetime) -> Message:
        """Return the message after a provider's answer.

        A temporary refusal waits for the next step of `RETRY_AFTER`; when the steps are used up, or
        the next one lies after the expiry, the end state is technical failure. So it is at once for a
        message that is lost: twice would be worse than not at all, and its reader has it in the inbox.
        """
        match outcome:
            case Outcome.TAKEN:
                return replace(self, state=MessageState.SENT, next_attempt_at=None)
            case Outcome.REFUSED:
                return replace(self, state=MessageState.PERMANENT_FAILURE, next_attempt_at=None)
            case Outcome.LOST:
                return replace(self, state=MessageState.TECHNICAL_FAILURE, next_attempt_at=None)
            case _:
                return self._again(now)

    def _again(self, now: datetime) -> Message:
        if self.attempts >= MAX_ATTEMPTS:
            return replace(self, state=MessageState.TECHNICAL_FAILURE, next_attempt_at=None)
        due = now + RETRY_AFTER[self.attempts - 1]
        if self.expires_at is not None and due >= self.expires_at:
            return replace(self, state=MessageState.EXPIRED, next_attempt_at=None)
        return replace(self, state=MessageState.TEMPORARY_FAILURE, next_attempt_at=due)
