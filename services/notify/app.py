"""The composition root of notify: the only place that knows concrete classes."""

from __future__ import annotations

import asyncio

from chassis.db import Transaction
from chassis.service import Made, Runtime, serve_service
from chassis.settings import load
from chassis.worker import repeating
from services.notify.api import sandbox_routes
from services.notify.clients import IntakeContacts
from services.notify.consumers import Telling, handlers
from services.notify.rpc import MessageServicer, add_message_service
from services.notify.sandbox import SandboxProvider
from services.notify.settings import NotifyMigrationSettings, NotifySettings
from services.notify.store import MessageStore, StoreUnit
from services.notify.templates import read_templates
from services.notify.usecases.deliver import deliver_due

POLL_SECONDS = 1.0
"""How long a due message waits at most when the wake-up was missed."""

migration_settings = NotifyMigrationSettings


async def serve() -> int:
    """Run the service until it is told to stop; return the exit status."""
    return await serve_service(load(NotifySettings), build)


async def build(runtime: Runtime) -> Made:
    """Build what is notify's own."""
    settings = runtime.settings
    assert isinstance(settings, NotifySettings)
    templates, department_names = read_templates(settings.catalogue_dir)
    provider = SandboxProvider(runtime.database, runtime.cipher, runtime.clock)
    woken = asyncio.Event()

    def store_of(tx: Transaction) -> MessageStore:
        return MessageStore(tx, runtime.cipher)

    unit = StoreUnit(runtime.database, runtime.cipher)

    async def deliver() -> bool:
        return await deliver_due(unit, provider, runtime.clock) > 0

    contacts = IntakeContacts(runtime.peer("intake"))
    servicer = MessageServicer(runtime.database, store_of, templates, runtime.clock, woken.set)
    return Made(
        handlers=handlers(Telling(templates, department_names, contacts, store_of, woken.set)),
        servicers=[(add_message_service, servicer)],
        routers=[sandbox_routes(provider)] if settings.sandbox_page else [],
        workers=[repeating("deliver", deliver, every_seconds=POLL_SECONDS, woken=woken)],
    )
