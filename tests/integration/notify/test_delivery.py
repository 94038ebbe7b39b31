"""Messages are sent once, retried with a cap, and leave nothing readable behind."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from chassis.auth import ActingPerson
from chassis.event import Envelope, new_event_id
from chassis.rpc.call import Caller, calling
from chassis.rpc.peer import Peer
from events.intake import CaseClosed
from services.notify.consumers import Telling, handlers
from services.notify.domain.message import MAX_ATTEMPTS, MessageState
from services.notify.domain.template import Channel
from services.notify.rpc import MessageServicer
from services.notify.sandbox import BUSY, REFUSES, SILENT, SandboxProvider
from services.notify.store import MessageStore
from services.notify.usecases.accept import Order, accept
from services.notify.usecases.deliver import deliver_due
from services.notify.usecases.ports import Contact
from tests.integration.notify.stage import PHONE, TEMPLATES, by
from tongban.notify.v1 import message_pb2 as pb


async def test_the_same_source_and_channel_is_one_message_and_one_send(notify):
    first, *others = [await notify.accept("event:1") for _ in range(3)]
    assert set(others) == {first}
    await notify.deliver()
    await notify.deliver()
    assert await notify.sent() == 1
    assert await notify.events() == ["notify.MessageSent.v1"]


async def test_parallel_workers_never_send_twice(notify):
    for number in range(20):
        await notify.accept(f"event:{number}")
    await asyncio.gather(*(notify.deliver() for _ in range(6)))
    while await notify.deliver():
        pass
    assert await notify.sent() == 20
    assert await notify.events() == ["notify.MessageSent.v1"] * 20


async def test_a_lost_answer_is_asked_for_and_not_sent_again(notify):
    message_id = await notify.accept("event:1", SILENT)
    await notify.deliver()
    assert await notify.state(message_id) is MessageState.SENT
    notify.clock.at += timedelta(hours=1)
    assert await notify.deliver() == 0
    assert await notify.sent() == 1


async def test_a_worker_that_died_after_the_send_does_not_cause_a_second_one(notify):
    message_id = await notify.accept("event:1")

    class DiedError(Exception):
        pass

    class DyingProvider(SandboxProvider):
        async def send(self, message_id, contents):
            await super().send(message_id, contents)
            raise DiedError

    dying = DyingProvider(notify.database, notify.cipher, notify.clock)
    with pytest.raises(DiedError):
        await deliver_due(notify.unit, by(dying), notify.clock)
    assert await notify.deliver() == 0, "the lease still holds"
    notify.clock.at += timedelta(minutes=2)
    assert await notify.deliver() == 1
    assert await notify.state(message_id) is MessageState.SENT
    assert await notify.sent() == 1


async def test_a_busy_provider_is_tried_a_bounded_number_of_times(notify):
    message_id = await notify.accept("event:1", BUSY)
    for _ in range(MAX_ATTEMPTS + 3):
        await notify.deliver()
        notify.clock.at += timedelta(hours=3)
    assert await notify.state(message_id) is MessageState.TECHNICAL_FAILURE
    assert await notify.events() == ["notify.MessageFailed.v1"]


async def test_a_refusal_for_good_fails_at_once(notify):
    message_id = await notify.accept("event:1", REFUSES)
    await notify.deliver()
    assert await notify.state(message_id) is MessageState.PERMANENT_FAILURE


async def test_an_expired_code_is_never_sent(notify):
    message_id = await notify.accept("event:1", expires_at=notify.clock.at + timedelta(minutes=5))
    notify.clock.at += timedelta(minutes=6)
    await notify.deliver()
    assert await notify.state(message_id) is MessageState.EXPIRED
    assert await notify.sent() == 0


async def test_a_phone_number_and_a_code_stand_nowhere_in_clear(notify):
    await notify.accept("event:1")
    await notify.deliver()
    async with notify.database.transaction() as tx:
        tables = await tx.fetch("select tablename from pg_tables where schemaname = 'public'")
        for table in tables:
            for row in await tx.fetch(f"select t::text as line from {table['tablename']} t"):
                line = row["line"]
                assert PHONE not in line
                assert "493812" not in line
                assert PHONE.encode().hex() not in line


async def test_the_sandbox_shows_what_it_took_to_one_number(notify):
    await notify.accept("event:1")
    await notify.accept("event:2", "19900005678")
    await notify.deliver()
    shown = await notify.provider.newest(10, PHONE)
    assert [(each.phone, "493812" in each.text) for each in shown] == [(PHONE, True)]


async def test_who_acts_for_an_organisation_reads_its_messages_and_who_does_not_reads_their_own(notify):
    async with notify.database.transaction() as tx:
        store = MessageStore(tx, notify.cipher)
        for person_id in ("person", "organisation"):
            order = Order(
                source_key=f"event:{person_id}",
                template_code="one-time-code",
                channel=Channel.SMS,
                parameters={"code": "493812", "minutes": "5"},
                phone=PHONE,
                person_id=person_id,
            )
            message = await accept(store, TEMPLATES, order, new_event_id(), notify.clock())
            await tx.execute(
                "update message set channel = 'inbox', next_attempt_at = null where message_id = $1",
                message.message_id,
            )
    servicer = MessageServicer(
        notify.database, lambda tx: MessageStore(tx, notify.cipher), TEMPLATES, notify.clock, lambda: None
    )
    seen = {}
    for acting_for in (None, "organisation"):
        with calling(Caller(Peer("service", "intake"), ActingPerson("person", 3, acting_for=acting_for))):
            page = await servicer.ListInbox(pb.ListInboxRequest(), None)
            (seen[acting_for],) = [each.message_id for each in page.messages]
            request = pb.MarkReadRequest(message_id=seen[acting_for])
            assert (await servicer.MarkRead(request, None)).message.HasField("read_at")
    assert seen[None] != seen["organisation"]


async def test_a_notice_to_an_organisation_nobody_represents_waits_in_its_inbox(notify):
    """A missing phone must not park the event: every later one of the case would wait behind it."""

    class Unreachable:
        async def of(self, person_id: str, case_id: str) -> Contact:
            return Contact(person_id, "", "某某餐饮有限公司", "zh")

    telling = Telling(TEMPLATES, {}, Unreachable(), lambda tx: MessageStore(tx, notify.cipher), lambda: None)
    event = CaseClosed(
        case_id="c",
        case_no="n",
        person_id="organisation",
        title="开办餐饮店",
        county_code="361123",
        approved_parts=3,
        rejected_parts=0,
        closed_at=notify.clock(),
    )
    handler = next(each for each in handlers(telling) if each.event is CaseClosed)
    prepared = await handler.prepare(event)
    envelope = Envelope(new_event_id(), event.TYPE, "//tongban/intake", "c", 1, notify.clock())
    async with notify.database.transaction() as tx:
        await handler.apply(tx, event, envelope, prepared)
        rows = await tx.fetch("select channel, state from message")
    assert [(row["channel"], row["state"]) for row in rows] == [("inbox", "delivered")]
