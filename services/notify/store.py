"""Messages in PostgreSQL: explicit SQL, personal parts encrypted per field."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.db import Database, Transaction
from chassis.fields import FieldCipher
from chassis.rewrap import STORED_ANSWERS, EncryptedTable
from chassis.telemetry import gauge, histogram
from events.notify import MessageFailed, MessageSent
from services.notify.domain.message import Message, MessageState, Outcome
from services.notify.domain.template import Category, Channel
from services.notify.usecases.ports import Contents, InboxEntry

_COLUMNS = """message_id, source_key, channel, category, template_code, template_version, language,
 person_id, case_id, state, attempts, created_at, next_attempt_at, expires_at"""
_CONTENTS = "message.contents"
ENCRYPTED = (
    EncryptedTable("message", ("message_id",), {"contents": _CONTENTS}),
    STORED_ANSWERS,
)
"""What notify keeps encrypted beside what the sandbox took."""
HANDOVER_SECONDS = histogram(
    "message_handover_seconds",
    "Age of a message when the provider answered for it, by answer",
    ["channel", "outcome"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800),
)
DUE = gauge("messages_due", "Messages that are due and not handed over")
DUE_OLDEST_SECONDS = gauge("messages_due_oldest_seconds", "How long the longest waiting message is due")
_ONLY_EVENT = 1
"""A message publishes one event in its life, sent or failed; a second one would fail the commit."""


class MessageStore:
    """The messages of one open transaction; implements the ports Messages and Inbox."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._tx = tx
        self._cipher = cipher

    async def add(self, message: Message, contents: Contents) -> Message:
        """Store a message, or return the one its source and channel already have."""
        row = await self._tx.fetchrow(
            f"""insert into message ({_COLUMNS}, contents)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
            on conflict (source_key, channel) do nothing returning {_COLUMNS}""",  # noqa: S608 - constants
            message.message_id,
            message.source_key,
            message.channel,
            message.category,
            message.template_code,
            message.template_version,
            message.language,
            message.person_id,
            message.case_id,
            message.state,
            message.attempts,
            message.created_at,
            message.next_attempt_at,
            message.expires_at,
            self._seal(contents),
        )
        if row is None:
            row = await self._tx.fetchrow(
                f"select {_COLUMNS} from message where source_key = $1 and channel = $2",  # noqa: S608
                message.source_key,
                message.channel,
            )
            assert row is not None, "the conflicting row is visible to this transaction"
            return _message(row)
        if message.state is MessageState.DELIVERED:
            self.publish_sent(message, message.created_at)
        return _message(row)

    async def claim_due(self, channel: Channel, now: datetime, limit: int) -> Sequence[Message]:
        """Lock and return a channel's due messages that nobody else holds."""
        rows = await self._tx.fetch(
            f"""select {_COLUMNS} from message where channel = $1 and next_attempt_at <= $2
            order by next_attempt_at limit $3 for update skip locked""",  # noqa: S608
            channel,
            now,
            limit,
        )
        return [_message(row) for row in rows]

    async def contents(self, message_id: UUID) -> Contents:
        """Return the personal part."""
        return self._open(
            await self._tx.fetchval("select contents from message where message_id = $1", message_id)
        )

    async def save(self, message: Message) -> None:
        """Store state and attempts."""
        await self._tx.execute(
            """update message set state = $2, attempts = $3, next_attempt_at = $4,
            contents = case when $5 then null else contents end where message_id = $1""",
            message.message_id,
            message.state,
            message.attempts,
            message.next_attempt_at,
            # A code is of no use to anyone once it was sent or is too late: nothing of it is kept.
            message.state.final and message.category is Category.CODE,
        )

    async def open_attempt(self, message: Message, provider: str, at: datetime) -> None:
        """Enter an attempt into the send ledger."""
        await self._tx.execute(
            "insert into send_attempt (message_id, attempt, provider, started_at) values ($1, $2, $3, $4)",
            message.message_id,
            message.attempts,
            provider,
            at,
        )

    async def close_attempt(self, message: Message, provider: str, outcome: Outcome, at: datetime) -> None:
        """Enter the provider's answer."""
        HANDOVER_SECONDS.labels(message.channel, outcome).observe((at - message.created_at).total_seconds())
        await self._tx.execute(
            """update send_attempt set outcome = $4, ended_at = $5
            where message_id = $1 and attempt = $2 and provider = $3""",
            message.message_id,
            message.attempts,
            provider,
            outcome,
            at,
        )

    async def doubtful(self, message_id: UUID) -> Sequence[str]:
        """Return the providers that were called and of whose answer nothing is known, latest first."""
        rows = await self._tx.fetch(
            """select provider from send_attempt
            where message_id = $1 and (outcome is null or outcome = 'unknown')
            group by provider order by max(started_at) desc""",
            message_id,
        )
        return [row["provider"] for row in rows]

    async def settle(self, message_id: UUID, provider: str, outcome: Outcome, at: datetime) -> None:
        """Enter what a provider said of its earlier calls when it was asked."""
        await self._tx.execute(
            """update send_attempt set outcome = $3, ended_at = coalesce(ended_at, $4)
            where message_id = $1 and provider = $2 and (outcome is null or outcome = 'unknown')""",
            message_id,
            provider,
            outcome,
            at,
        )

    def publish_sent(self, message: Message, at: datetime) -> None:
        """Have MessageSent leave with this transaction."""
        self._tx.publish(_sent(message, at), _ONLY_EVENT)

    def publish_failed(self, message: Message, at: datetime) -> None:
        """Have MessageFailed leave with this transaction."""
        failed = MessageFailed(
            message_id=str(message.message_id),
            template_code=message.template_code,
            channel=message.channel,
            person_id=message.person_id,
            case_id=message.case_id,
            reason=message.state,
            failed_at=at,
        )
        self._tx.publish(failed, _ONLY_EVENT)

    async def entries(
        self, person_id: str, before: str | None, limit: int, *, unread_only: bool
    ) -> Sequence[InboxEntry]:
        """Return the person's inbox, newest first; message ids are ordered by time."""
        rows = await self._tx.fetch(
            f"""select {_COLUMNS}, contents, read_at from message
            where person_id = $1 and channel = 'inbox' and ($2::uuid is null or message_id < $2)
            and (read_at is null or not $3) order by message_id desc limit $4""",  # noqa: S608
            person_id,
            UUID(before) if before else None,
            unread_only,
            limit,
        )
        return [self._entry(row) for row in rows]

    async def mark_read(self, person_id: str, message_id: UUID, at: datetime) -> InboxEntry | None:
        """Mark a message of this person as read once."""
        row = await self._tx.fetchrow(
            f"""update message set read_at = coalesce(read_at, $3)
            where message_id = $1 and person_id = $2 and channel = 'inbox'
            returning {_COLUMNS}, contents, read_at""",  # noqa: S608
            message_id,
            person_id,
            at,
        )
        return self._entry(row) if row else None

    def _entry(self, row: asyncpg.Record) -> InboxEntry:
        return InboxEntry(_message(row), self._open(row["contents"]), row["read_at"])

    def _seal(self, contents: Contents) -> bytes:
        plain = json.dumps([contents.title, contents.text, contents.address], ensure_ascii=False)
        return self._cipher.encrypt(plain, field=_CONTENTS)

    def _open(self, sealed: bytes | None) -> Contents:
        if sealed is None:
            return Contents("", "", None)
        title, text, address = json.loads(self._cipher.decrypt(sealed, field=_CONTENTS))
        return Contents(title, text, address)


class StoreUnit:
    """Opens one transaction over the messages; implements the port UnitOfWork."""

    def __init__(self, database: Database, cipher: FieldCipher) -> None:
        self._database = database
        self._cipher = cipher

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[MessageStore]:
        """Return the transaction as a context manager; it commits at the end of the block."""
        async with self._database.transaction() as tx:
            yield MessageStore(tx, self._cipher)


async def measure(tx: Transaction) -> None:
    """Set the gauges of what is due."""
    row = await tx.fetchrow(
        "select count(*) as due, min(next_attempt_at) as oldest from message where next_attempt_at <= $1",
        tx.now(),
    )
    assert row is not None
    DUE.set(row["due"])
    DUE_OLDEST_SECONDS.set((tx.now() - row["oldest"]).total_seconds() if row["oldest"] else 0)


def _sent(message: Message, at: datetime) -> MessageSent:
    return MessageSent(
        message_id=str(message.message_id),
        template_code=message.template_code,
        channel=message.channel,
        person_id=message.person_id,
        case_id=message.case_id,
        attempts=message.attempts,
        sent_at=at,
    )


def _message(row: asyncpg.Record) -> Message:
    values = dict(row)
    for extra in ("contents", "read_at"):
        values.pop(extra, None)
    values["channel"] = Channel(values["channel"])
    values["category"] = Category(values["category"])
    values["state"] = MessageState(values["state"])
    return Message(**values)
