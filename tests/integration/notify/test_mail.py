"""Mail leaves over proved TLS only, and one mail is accepted once, whatever the server does."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from chassis.errors import Fault
from chassis.event import Envelope, new_event_id
from cli.local.authority import Authority, open_authority
from events.intake import CaseClosed
from services.notify.clients.mail import MailProvider, MailServer
from services.notify.consumers import Telling, handlers
from services.notify.domain.message import MAX_ATTEMPTS, MessageState
from services.notify.domain.template import Channel
from services.notify.store import MessageStore
from services.notify.usecases.deliver import Carriage
from services.notify.usecases.ports import Contact
from tests.integration.notify.mail_server import SECRET, USER, Behaviour, mail_server
from tests.integration.notify.stage import PHONE, TEMPLATES, Notify, by

READER = "li.lei@example.org"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return open_authority(tmp_path_factory.mktemp("authority"))


def server_context(authority: Authority) -> ssl.SSLContext:
    files = authority.leaf("mail", "mail", authority.local_names)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    return context


class Mail:
    """A provider before a server, as the settings would make it."""

    def __init__(self, notify: Notify, authority: Authority, port: int) -> None:
        self.notify = notify
        self.trust = ssl.create_default_context(cafile=str(authority.root_file))
        self.server = MailServer("localhost", port, "starttls", "no-reply@gov.example", USER, SECRET)

    def carriage(self, **changes: object) -> Carriage:
        server = replace(self.server, **changes)  # type: ignore[arg-type]
        return by(MailProvider(server, self.trust, self.notify.clock), channel=Channel.EMAIL)


@asynccontextmanager
async def opened(notify: Notify, authority: Authority, behaviour: Behaviour) -> AsyncIterator[Mail]:
    async with mail_server(behaviour, starttls=server_context(authority)) as port:
        yield Mail(notify, authority, port)


async def until_final(mail: Mail) -> int:
    """Deliver until nothing is due for ever; return how many attempts that took."""
    attempts = 0
    for _ in range(MAX_ATTEMPTS + 2):
        attempts += await mail.notify.deliver(mail.carriage())
        mail.notify.clock.at += timedelta(hours=3)
    return attempts


async def test_a_notice_is_one_mail_with_a_stable_identity(notify: Notify, authority: Authority) -> None:
    behaviour = Behaviour()
    async with opened(notify, authority, behaviour) as mail:
        ids = {await notify.accept_notice("event:1", READER) for _ in range(3)}
        assert await until_final(mail) == 1
    (message_id,), (parsed,) = ids, behaviour.mails()
    assert (parsed["To"], parsed["From"]) == (READER, "no-reply@gov.example")
    assert parsed["Message-ID"] == f"<{message_id}@gov.example>"
    assert parsed["Subject"] == TEMPLATES.approved("case-closed").title("zh")
    assert "办件一" in parsed.get_content()
    assert await notify.state(message_id) is MessageState.SENT
    assert await notify.events() == ["notify.MessageSent.v1"]


async def test_tls_from_the_first_byte_works_as_well(notify: Notify, authority: Authority) -> None:
    behaviour = Behaviour()
    message_id = await notify.accept_notice("event:1", READER)
    async with mail_server(behaviour, tls=server_context(authority)) as port:
        mail = Mail(notify, authority, port)
        await notify.deliver(mail.carriage(security="tls", user=None, password=None))
    assert await notify.state(message_id) is MessageState.SENT


async def test_a_server_without_tls_is_told_nothing(notify: Notify, authority: Authority) -> None:
    behaviour = Behaviour()
    message_id = await notify.accept_notice("event:1", READER)
    async with mail_server(behaviour) as port:
        await notify.deliver(Mail(notify, authority, port).carriage(user=None, password=None))
    assert behaviour.accepted == []
    assert await notify.state(message_id) is MessageState.TEMPORARY_FAILURE


async def test_a_server_with_a_foreign_certificate_is_told_nothing(
    notify: Notify, authority: Authority, tmp_path: Path
) -> None:
    behaviour = Behaviour()
    message_id = await notify.accept_notice("event:1", READER)
    async with opened(notify, open_authority(tmp_path / "foreign"), behaviour) as mail:
        mail.trust = ssl.create_default_context(cafile=str(authority.root_file))
        await notify.deliver(mail.carriage())
    assert behaviour.accepted == []
    assert await notify.state(message_id) is MessageState.TEMPORARY_FAILURE


async def test_a_wrong_password_keeps_the_mail_for_later(notify: Notify, authority: Authority) -> None:
    behaviour = Behaviour()
    message_id = await notify.accept_notice("event:1", READER)
    async with opened(notify, authority, behaviour) as mail:
        await notify.deliver(mail.carriage(password=SecretStr("wrong")))
        assert await notify.state(message_id) is MessageState.TEMPORARY_FAILURE
        await until_final(mail)
    assert len(behaviour.accepted) == 1


@pytest.mark.parametrize("where", ["recipient", "data"])
async def test_a_passing_refusal_is_tried_again_and_accepted_once(
    notify: Notify, authority: Authority, where: str
) -> None:
    behaviour = Behaviour(**{where: "451 later"})
    message_id = await notify.accept_notice("event:1", READER)
    async with opened(notify, authority, behaviour) as mail:
        await notify.deliver(mail.carriage())
        assert await notify.state(message_id) is MessageState.TEMPORARY_FAILURE
        setattr(behaviour, where, "250 ok")
        notify.clock.at += timedelta(minutes=1)
        assert await until_final(mail) == 1
    assert len(behaviour.accepted) == 1


@pytest.mark.parametrize("where", ["recipient", "data"])
async def test_a_refusal_for_good_ends_at_once(notify: Notify, authority: Authority, where: str) -> None:
    message_id = await notify.accept_notice("event:1", READER)
    async with opened(notify, authority, Behaviour(**{where: "550 no such user"})) as mail:
        assert await until_final(mail) == 1
    assert await notify.state(message_id) is MessageState.PERMANENT_FAILURE
    assert await notify.events() == ["notify.MessageFailed.v1"]


async def test_a_mail_taken_by_a_server_that_then_breaks_off_is_never_sent_again(
    notify: Notify, authority: Authority
) -> None:
    behaviour = Behaviour(breaks_off=True)
    message_id = await notify.accept_notice("event:1", READER)
    async with opened(notify, authority, behaviour) as mail:
        assert await until_final(mail) == 1
    assert len(behaviour.accepted) == 1
    assert await notify.state(message_id) is MessageState.TECHNICAL_FAILURE
    assert await notify.events() == ["notify.MessageFailed.v1"]


async def test_a_worker_that_died_while_sending_causes_no_second_mail(
    notify: Notify, authority: Authority
) -> None:
    behaviour = Behaviour()
    message_id = await notify.accept_notice("event:1", READER)

    class DiedError(Exception):
        pass

    class Dying(MailProvider):
        async def send(self, message_id, contents):  # type: ignore[no-untyped-def]
            await super().send(message_id, contents)
            raise DiedError

    async with opened(notify, authority, behaviour) as mail:
        dying = by(Dying(mail.server, mail.trust, notify.clock), channel=Channel.EMAIL)
        with pytest.raises(DiedError):
            await notify.deliver(dying)
        assert await until_final(mail) == 1, "after the lease it is looked at once more"
    assert len(behaviour.accepted) == 1
    assert await notify.state(message_id) is MessageState.TECHNICAL_FAILURE


async def test_a_forged_address_is_refused_before_anything_is_stored(notify: Notify) -> None:
    for address in (
        "a@b.example\r\nBcc: c@d.example",
        "two@a.example,three@b.example",
        "a@localhost",
        "a b@c.de",
    ):
        with pytest.raises(Fault, match="INVALID_REQUEST"):
            await notify.accept_notice("event:1", address)


@pytest.mark.parametrize(
    ("email", "carried", "told"),
    [
        (READER, True, {"sms", "inbox", "email"}),
        (READER, False, {"sms", "inbox"}),
        ("", True, {"sms", "inbox"}),
        ("not an address", True, {"sms", "inbox"}),
    ],
)
async def test_an_event_is_told_by_mail_where_mail_is_carried_and_an_address_is_known(
    notify: Notify,
    email: str,
    carried: bool,
    told: set[str],
) -> None:
    class Contacts:
        async def of(self, person_id: str, case_id: str) -> Contact:
            del case_id
            return Contact(person_id, PHONE, "张**", "zh", email)

    channels = frozenset(Channel) if carried else frozenset({Channel.SMS, Channel.INBOX})
    telling = Telling(
        TEMPLATES, {}, Contacts(), lambda tx: MessageStore(tx, notify.cipher), lambda: None, channels
    )
    event = CaseClosed(
        case_id="c",
        case_no="n",
        person_id="p",
        title="开办餐饮店",
        county_code="361123",
        approved_parts=3,
        rejected_parts=0,
        closed_at=notify.clock(),
    )
    handler = next(each for each in handlers(telling) if each.event is CaseClosed)
    envelope = Envelope(new_event_id(), event.TYPE, "//tongban/intake", "c", 1, notify.clock())
    for _ in range(2):
        prepared = await handler.prepare(event)
        async with notify.database.transaction() as tx:
            await handler.apply(tx, event, envelope, prepared)
    async with notify.database.transaction() as tx:
        rows = await tx.fetch("select channel from message")
    assert sorted(row["channel"] for row in rows) == sorted(told)


def test_the_password_stands_in_no_representation() -> None:
    assert "secret" not in repr(MailServer("h", 1, "tls", "a@b.example", "u", SecretStr("secret")))
