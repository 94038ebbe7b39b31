"""The composition root of notify: the only place that knows concrete classes."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from urllib.parse import urlsplit

from chassis.clock import Clock
from chassis.db import Transaction
from chassis.egress import Egress, EgressPolicy, Inside
from chassis.rewrap import AtRest
from chassis.run import Part
from chassis.service import Made, Runtime, serve_service
from chassis.settings import load
from chassis.worker import repeating
from services.notify.api import sandbox_routes
from services.notify.clients import Gateway, IntakeContacts, MailProvider, MailServer, SmsProvider
from services.notify.clients.mail import CONNECTIONS, LONGEST_SECONDS
from services.notify.clients.sms import SEND_SECONDS
from services.notify.consumers import Telling, handlers
from services.notify.domain.routing import Routing
from services.notify.domain.template import Channel
from services.notify.rpc import MessageServicer, add_message_service
from services.notify.sandbox import ENCRYPTED as SANDBOX_ENCRYPTED
from services.notify.sandbox import SandboxProvider
from services.notify.settings import NotifyMigrationSettings, NotifySettings
from services.notify.store import ENCRYPTED, MessageStore, StoreUnit, measure
from services.notify.templates import read_templates
from services.notify.usecases.deliver import Carriage, Flow

POLL_SECONDS = 1.0
"""How long a due message waits at most when the wake-up was missed."""
ON_THEIR_WAY = {Channel.SMS: 200, Channel.EMAIL: CONNECTIONS}
"""Messages of a channel that wait for an answer: a gateway that takes 4 s still gets 50 a second."""

migration_settings = NotifyMigrationSettings


async def serve() -> int:
    """Run the service until it is told to stop; return the exit status."""
    return await serve_service(load(NotifySettings), build)


async def build(runtime: Runtime) -> Made:
    """Build what is notify's own."""
    settings = runtime.settings
    assert isinstance(settings, NotifySettings)
    templates, department_names = read_templates(settings.catalogue_dir)
    sandbox = SandboxProvider(runtime.database, runtime.cipher, runtime.clock)
    carriages = [sms_carriage(settings, sandbox), *mail_carriages(settings, runtime.clock)]
    bells = [(each, asyncio.Event()) for each in carriages]

    def wake() -> None:
        for _, bell in bells:
            bell.set()

    def store_of(tx: Transaction) -> MessageStore:
        return MessageStore(tx, runtime.cipher)

    unit = StoreUnit(runtime.database, runtime.cipher)

    contacts = IntakeContacts(runtime.peer("intake"))
    servicer = MessageServicer(runtime.database, store_of, templates, runtime.clock, wake)
    channels = frozenset({Channel.INBOX, *(each.channel for each in carriages)})
    return Made(
        handlers=handlers(Telling(templates, department_names, contacts, store_of, wake, channels)),
        servicers=[(add_message_service, servicer)],
        routers=[sandbox_routes(sandbox)] if settings.sandbox_page else [],
        workers=[worker(unit, runtime.clock, *each) for each in bells],
        measures=[measure],
    )


def at_rest(runtime: Runtime) -> AtRest:
    """Return everything that notify keeps encrypted, for a rotation of its field keys."""
    return AtRest(runtime.database, runtime.cipher, (*ENCRYPTED, SANDBOX_ENCRYPTED))


def worker(unit: StoreUnit, clock: Clock, carriage: Carriage, bell: asyncio.Event) -> Part:
    """Return the part that delivers a channel; it ends when nothing is on its way any more."""
    flow = Flow(unit, carriage, clock, ON_THEIR_WAY[carriage.channel], bell.set)
    name = f"deliver-{carriage.channel}"
    delivering = repeating(name, flow.step, every_seconds=POLL_SECONDS, woken=bell)

    async def run(stop: asyncio.Event) -> None:
        try:
            await delivering.run(stop)
        finally:
            await flow.finish()

    return Part(name, run)


def sms_carriage(settings: NotifySettings, sandbox: SandboxProvider) -> Carriage:
    """Return what carries short messages: the gateways of the settings, or the sandbox."""
    gateways = [
        Gateway(name, url, token)
        for name, url, token in (
            ("sms-primary", settings.sms_primary_url, settings.sms_primary_token),
            ("sms-secondary", settings.sms_secondary_url, settings.sms_secondary_token),
        )
        if url and token
    ]
    if not gateways:
        return Carriage(Channel.SMS, {sandbox.name: sandbox}, Routing([sandbox.name]))
    egress = Egress(_gateway_policy(settings, gateways), trust=_trust(settings))
    providers = {each.name: SmsProvider(each, egress) for each in gateways}
    return Carriage(Channel.SMS, providers, Routing(list(providers)))


def mail_carriages(settings: NotifySettings, clock: Clock) -> list[Carriage]:
    """Return what carries mail, if anything does."""
    if not settings.smtp_host:
        return []
    server = MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        sender=settings.smtp_sender or "",
        user=settings.smtp_user,
        password=settings.smtp_password,
    )
    mail = MailProvider(server, _trust(settings), clock)
    longest = timedelta(seconds=LONGEST_SECONDS)
    return [Carriage(Channel.EMAIL, {mail.name: mail}, Routing([mail.name]), longest)]


def _gateway_policy(settings: NotifySettings, gateways: list[Gateway]) -> EgressPolicy:
    """Return where short messages may go: to the hosts of the gateways, at their own ports."""
    found = [urlsplit(each.url) for each in gateways]
    networks = settings.networks()
    return EgressPolicy(
        ports=frozenset(each.port or 443 for each in found),
        inside=tuple(Inside(each.hostname or "", each.port or 443, networks) for each in found if networks),
        hosts=frozenset(each.hostname or "" for each in found),
        timeout_seconds=SEND_SECONDS,
        connect_seconds=SEND_SECONDS / 2,
        max_answer_bytes=64 * 1024,
    )


def _trust(settings: NotifySettings) -> ssl.SSLContext:
    return ssl.create_default_context(
        cafile=str(settings.outside_authority) if settings.outside_authority else None
    )
