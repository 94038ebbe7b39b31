"""The store, the sandbox provider, a clock that tests move: notify over one database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.event import new_event_id
from chassis.fields import FieldCipher
from chassis.keyring import new_keyring, parse_keyring
from chassis.migrate import migrate
from chassis.outbox import outbox_writer
from services.notify.domain.message import MessageState
from services.notify.domain.routing import Routing
from services.notify.domain.template import Channel
from services.notify.sandbox import SandboxProvider
from services.notify.store import MessageStore, StoreUnit
from services.notify.templates import read_templates
from services.notify.usecases.accept import Order, accept
from services.notify.usecases.deliver import Carriage, deliver_due
from services.notify.usecases.ports import Provider

CATALOGUE = Path(__file__).parents[3] / "catalogue"
PHONE = "19900001234"


def by(*providers: Provider, channel: Channel = Channel.SMS) -> Carriage:
    named = {each.name: each for each in providers}
    return Carriage(channel, named, Routing(list(named)))


TEMPLATES, _ = read_templates(CATALOGUE)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


class Notify:
    """The store, the sandbox provider and a clock over one database."""

    def __init__(self, database: Database, cipher: FieldCipher, clock: Clock) -> None:
        self.database, self.cipher, self.clock = database, cipher, clock
        self.unit = StoreUnit(database, cipher)
        self.provider = SandboxProvider(database, cipher, clock)

    async def accept(self, source: str, phone: str = PHONE, **changes: object) -> UUID:
        order = Order(
            source_key=source,
            template_code="one-time-code",
            channel=Channel.SMS,
            parameters={"code": "493812", "minutes": "5"},
            phone=phone,
            **changes,  # type: ignore[arg-type]
        )
        async with self.database.transaction() as tx:
            store = MessageStore(tx, self.cipher)
            return (await accept(store, TEMPLATES, order, new_event_id(), self.clock())).message_id

    async def accept_notice(self, source: str, email: str) -> UUID:
        order = Order(
            source_key=source,
            template_code="case-closed",
            channel=Channel.EMAIL,
            parameters=dict.fromkeys(TEMPLATES.approved("case-closed").parameters, "办件一"),
            email=email,
            person_id="p",
            case_id="c",
        )
        async with self.database.transaction() as tx:
            store = MessageStore(tx, self.cipher)
            return (await accept(store, TEMPLATES, order, new_event_id(), self.clock())).message_id

    async def deliver(self, carriage: Carriage | None = None) -> int:
        return await deliver_due(self.unit, carriage or by(self.provider), self.clock)

    async def state(self, message_id: UUID) -> MessageState:
        return MessageState(await self._value("select state from message where message_id = $1", message_id))

    async def sent(self) -> int:
        return int(await self._value("select count(*) from sandbox_sms"))

    async def events(self) -> list[str]:
        async with self.database.transaction() as tx:
            return [row["type"] for row in await tx.fetch("select type from event_log order by seq")]

    async def database_execute(self, statement: str) -> None:
        async with self.database.transaction() as tx:
            await tx.execute(statement)

    async def _value(self, query: str, *values: object) -> Any:
        async with self.database.transaction() as tx:
            return await tx.fetchval(query, *values)


@asynccontextmanager
async def open_notify(dsn: str, clock: Clock | None = None) -> AsyncIterator[Notify]:
    """Notify over an empty database."""
    await migrate("notify", dsn)
    now = clock or Clock()
    database = await Database.open(dsn, now=now, write_events=outbox_writer("//tongban/notify"))
    cipher = FieldCipher(parse_keyring(new_keyring(now())), service="notify")
    yield Notify(database, cipher, now)
    await database.close()
