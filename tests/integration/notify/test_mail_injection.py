"""Nothing that stands in an address, a title or a parameter begins a header, a recipient or a command of its own."""

from __future__ import annotations

import pytest

from chassis.errors import Fault
from chassis.event import new_event_id
from services.notify.clients.mail import MailProvider
from services.notify.domain.template import Channel
from services.notify.store import MessageStore
from services.notify.usecases.accept import Order, accept
from services.notify.usecases.ports import Contents
from tests.integration.notify.mail_server import Behaviour
from tests.integration.notify.stage import TEMPLATES, Notify
from tests.integration.notify.test_mail import READER, authority, opened

__all__ = ["authority"]
BREAKS = ("\r\n", "\n", "\r", "\r\n\r\n", "\v", "\f", "\x85", "\u2028", "\0")
HEADER = "Bcc: all@example.org"


@pytest.mark.parametrize("end", BREAKS, ids=ascii)
async def test_an_address_with_a_line_of_its_own_is_refused(notify: Notify, end: str) -> None:
    for address in (f"{READER}{end}{HEADER}", f"{READER}{end}", f"{end}{READER}", f"a{end}@example.org"):
        with pytest.raises(Fault) as refused:
            await notify.accept_notice("event:1", address)
        assert refused.value.code == "INVALID_REQUEST"
    for address in (f"{READER},b@example.org", f"{READER} b@example.org", f"<{READER}>", "a@example.org>"):
        with pytest.raises(Fault):
            await notify.accept_notice("event:1", address)


@pytest.mark.parametrize("end", BREAKS, ids=ascii)
async def test_a_header_is_never_begun_by_an_address_or_a_title(notify: Notify, authority, end: str) -> None:
    """Whatever came past the check above: the mail is not made, or has no header more."""
    behaviour = Behaviour()
    async with opened(notify, authority, behaviour) as mail:
        provider = MailProvider(mail.server, mail.trust, notify.clock)
        for contents in (
            Contents("办结", "正文", f"{READER}{end}{HEADER}"),
            Contents(f"办结{end}{HEADER}", "正文", READER),
            Contents(f"{end}{end}{HEADER}", "正文", READER),
        ):
            try:
                await provider.send(new_event_id(), contents)
            except ValueError:
                continue
    for parsed in behaviour.mails():
        assert parsed["Bcc"] is None
        assert len(parsed.get_all("To")) == len(parsed.get_all("Subject")) == 1
        assert "正文" in parsed.get_content()
    assert {recipient for recipient, _ in behaviour.accepted} <= {READER}


async def test_a_parameter_stays_in_the_text(notify: Notify, authority) -> None:
    hostile = (
        f"一\r\n{HEADER}\r\n.\r\nMAIL FROM:<x@example.org>\r\nRCPT TO:<y@example.org>\r\nDATA\r\n{{title}}"
    )
    behaviour = Behaviour()
    names = TEMPLATES.approved("case-closed").parameters
    order = Order(
        source_key="event:1",
        template_code="case-closed",
        channel=Channel.EMAIL,
        parameters=dict.fromkeys(names, hostile),
        email=READER,
        person_id="p",
        case_id="c",
    )
    async with notify.database.transaction() as tx:
        await accept(MessageStore(tx, notify.cipher), TEMPLATES, order, new_event_id(), notify.clock())
    async with opened(notify, authority, behaviour) as mail:
        await notify.deliver(mail.carriage())
    ((recipient, raw),), (parsed,) = behaviour.accepted, behaviour.mails()
    assert recipient == parsed["To"] == READER
    assert parsed["Bcc"] is None
    assert b"RCPT TO" not in raw, "the text is encoded"
    assert HEADER in parsed.get_content()
    assert parsed["Subject"] == TEMPLATES.approved("case-closed").title("zh")


def test_no_title_has_a_parameter() -> None:
    for code in ("case-closed", "one-time-code"):
        assert not [each for each in TEMPLATES.approved(code).titles.values() if "{" in each]
