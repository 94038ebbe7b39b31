"""E-mail over a mail server (RFC 5321), with TLS proved before anything of a message is said."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime
from typing import Literal
from uuid import UUID

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from pydantic import SecretStr

from chassis.clock import Clock
from chassis.failures import describe
from chassis.logs import get_logger
from services.notify.domain.message import Outcome
from services.notify.usecases.ports import Contents

ANSWER_SECONDS = 60.0
"""For each answer of the server; the end of a message may take it long (RFC 5321, 4.5.3.2.6)."""
LONGEST_SECONDS = 100.0
"""For one message from the connection to the last answer; below the lease of a mail."""
CONNECTIONS = 4
_PERMANENT = 500

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server that takes our mail, and as whom we send."""

    host: str
    port: int
    security: Literal["starttls", "tls"]
    sender: str
    user: str | None = None
    password: SecretStr | None = None


class MailProvider:
    """Implements the port Provider over one mail server.

    SMTP knows no key against repeats and cannot be asked: a message whose last answer is missing is
    LOST, never sent again.
    """

    name = "smtp"

    def __init__(self, server: MailServer, trust: ssl.SSLContext, clock: Clock) -> None:
        self._server, self._trust, self._clock = server, trust, clock
        self._free = asyncio.Semaphore(CONNECTIONS)

    async def send(self, message_id: UUID, contents: Contents) -> Outcome:
        """Hand one mail over; its Message-ID is made from the message's id."""
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            timeout=ANSWER_SECONDS,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=self._trust,
        )
        content = self._content(message_id, contents)
        async with self._free:
            try:
                async with asyncio.timeout(LONGEST_SECONDS):
                    return await self._deliver(client, contents.address or "", content)
            except TimeoutError:
                return Outcome.UNKNOWN
            finally:
                client.close()

    async def find(self, message_id: UUID) -> Outcome:
        """Say that nobody knows."""
        del message_id
        return Outcome.LOST

    async def _deliver(self, client: SMTP, address: str, content: bytes) -> Outcome:
        try:
            await self._begin(client, address)
        except (SMTPRecipientRefused, SMTPSenderRefused) as problem:
            return _said(problem)
        except (SMTPException, OSError, ValueError) as problem:  # nothing of the message was said yet
            log.warning("mail_server_failed", cause=describe(problem))
            return Outcome.REFUSED_FOR_NOW
        try:
            await client.data(content)
        except SMTPDataError as problem:
            return _said(problem)
        except (SMTPException, OSError) as problem:
            log.warning("mail_answer_lost", cause=describe(problem))
            return Outcome.UNKNOWN
        return Outcome.TAKEN

    async def _begin(self, client: SMTP, address: str) -> None:
        await client.connect()
        if self._server.user and self._server.password:
            await client.login(self._server.user, self._server.password.get_secret_value())
        await client.mail(self._server.sender)
        await client.rcpt(address)

    def _content(self, message_id: UUID, contents: Contents) -> bytes:
        mail = EmailMessage(policy=WIRE)
        mail["From"], mail["To"] = self._server.sender, contents.address
        mail["Subject"] = contents.title
        mail["Date"] = format_datetime(self._clock())
        mail["Message-ID"] = f"<{message_id}@{self._server.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(contents.text + "\n", charset="utf-8", cte="base64")
        return mail.as_bytes()


def _said(problem: SMTPResponseException) -> Outcome:
    log.warning("mail_server_said_no", status=problem.code)
    return Outcome.REFUSED if problem.code >= _PERMANENT else Outcome.REFUSED_FOR_NOW
