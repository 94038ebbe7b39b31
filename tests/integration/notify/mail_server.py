"""A real mail server for tests (aiosmtpd), whose refusals and break-offs a test chooses."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr

USER, PASSWORD = "notify", "a-password-of-this-test"


@dataclass
class Behaviour:
    """What the server answers next, and everything it accepted."""

    recipient: str = "250 ok"
    data: str = "250 ok"
    breaks_off: bool = False
    accepted: list[tuple[str, bytes]] = field(default_factory=list)
    server: SMTP | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del session, options
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        del session
        if self.data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.accepted.append((envelope.rcpt_tos[0], envelope.content))
        if self.breaks_off:
            server.transport.abort()
        return self.data

    def mails(self) -> list[EmailMessage]:
        """Return what was accepted, parsed."""
        return [message_from_bytes(content, policy=default) for _, content in self.accepted]  # type: ignore[misc]


@asynccontextmanager
async def mail_server(
    behaviour: Behaviour, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Yield the port of a server on this machine that speaks STARTTLS, TLS, or neither."""

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        del server, session, envelope, mechanism
        right = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=right)

    def serve() -> SMTP:
        return SMTP(
            behaviour,
            hostname="localhost",
            require_starttls=starttls is not None,
            tls_context=starttls,
            authenticator=check,
            auth_required=starttls is not None,
            auth_require_tls=starttls is not None,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.05)  # the server's own connections end


SECRET = SecretStr(PASSWORD)
