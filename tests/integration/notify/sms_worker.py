"""A worker process to be killed: ``python -m tests.integration.notify.sms_worker DSN KEYRING AUTHORITY PORT PORT``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from chassis.clock import system_clock
from chassis.db import Database
from chassis.fields import FieldCipher
from chassis.keyring import LiveKeyring
from chassis.outbox import outbox_writer
from services.notify.app import worker
from services.notify.store import StoreUnit
from tests.integration.notify.gateway import provider
from tests.integration.notify.stage import by


async def main(dsn: str, keyring: str, authority: str, *ports: str) -> None:
    """Deliver for ever."""
    database = await Database.open(dsn, now=system_clock, write_events=outbox_writer("//tongban/notify"))
    unit = StoreUnit(database, FieldCipher(LiveKeyring(Path(keyring)), service="notify"))
    carriage = by(*(provider(f"sms-{number}", int(port), authority) for number, port in enumerate(ports)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await worker(unit, system_clock, carriage, asyncio.Event()).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
