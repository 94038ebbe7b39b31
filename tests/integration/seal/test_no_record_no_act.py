"""P10: no ledger row, no signature; what could not be recorded waits and is sealed exactly once afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import structlog

from chassis.bus import BusConfig, NewRecord, open_bus
from chassis.db import Database
from chassis.errors import Fault, Kind
from chassis.event import Envelope, new_event_id, topics
from chassis.inbox import Consumer, Limits
from chassis.outbox import outbox_writer
from chassis.relay import Relay
from events.certs import LicenceMade
from services.seal.consumers import handlers
from services.seal.domain.ledger import signature_id_of
from services.seal.domain.register import SealStatus
from services.seal.store import StoreUnit
from services.seal.usecases.read_register import check_ledger
from tests.integration.seal.conftest import GUANGFENG, UNSEALED, SealWorld
from tests.unit.seal.sealing_room import sm2

pytestmark = [pytest.mark.promise("P10")]
QUICK = Limits(first_pause_seconds=0.01, outage_first_pause_seconds=0.05, outage_total_seconds=60)
LICENCES = 24
PRIVATE = ("张三", "丰小玉", "测试人甲", "11010519491231002X", "19900000000")
STOPS = {
    "grant revoked": ("revoke insert on seal_use from {role}", "grant insert on seal_use to {role}"),
    "quota filled": (
        """create function full_up() returns trigger language plpgsql as $$
           begin raise exception 'quota' using errcode = 'disk_full'; end $$;
           create trigger full_up before insert on seal_use for each row execute function full_up()""",
        "drop trigger full_up on seal_use",
    ),
    "read only": (
        "alter role {role} set default_transaction_read_only = on",
        "alter role {role} set default_transaction_read_only = off",
    ),
}


class Serving:
    """Relay and consumer of seal under a role of its own, as in a deployment, over a bus."""

    def __init__(self, world: SealWorld, bus_dsn: str) -> None:
        self.world, self.bus_dsn, self.role = world, bus_dsn, f"p10_{uuid.uuid4().hex[:12]}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.admin(
            f"create role {self.role} login; grant usage on schema public to {self.role};"
            f" grant select, insert, update, delete on all tables in schema public to {self.role};"
            f" grant usage on all sequences in schema public to {self.role}"
        )
        import events  # noqa: F401

        parts = urlsplit(self.world.dsn)
        dsn = urlunsplit(parts._replace(netloc=f"{self.role}@{parts.netloc.rpartition('@')[2]}"))
        database = await Database.open(
            dsn, now=self.world.clock, write_events=outbox_writer("//tongban/seal"), max_size=4
        )
        self.database = database
        self.bus = await open_bus(BusConfig("postgres", "seal", postgres_dsn=self.bus_dsn))
        await self.bus.create_topics(topics(), 2)
        self.unit = StoreUnit(database, self.world.cipher)
        made = handlers(self.unit, self.unit.work, self.world.cabinet, self.world.documents)
        consumer = Consumer("seal", database, made, self.bus, limits=QUICK)
        relay = Relay("seal", dsn, self.bus, committed=database.committed)
        stop = asyncio.Event()
        tasks = [asyncio.create_task(each.run(stop)) for each in (consumer, relay)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)
            await self.bus.close()
            await database.close()
            await self.admin(f"drop owned by {self.role}; drop role {self.role}")

    async def connect_anew(self) -> None:
        """Have every connection of the role made again: what a role's settings say holds from then on.

        By the server: the pool takes a connection that is just being opened for a fresh one.
        """
        await self.admin(
            f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{self.role}'"
        )

    async def admin(self, statements: str) -> None:
        async with self.world.database.connection() as connection:
            await connection.execute(statements)

    async def make(self, numbers: range) -> None:
        producer = self.bus.producer()
        for number in numbers:
            licence_id = f"licence-{number}"
            event = LicenceMade(
                licence_id=licence_id, identifier="x", type_code="t", county_code="361103",
                issuer_code=GUANGFENG.code, case_id="case-1", part_id=f"p{number}", item_code="i",
                document_sha256=hashlib.sha256(UNSEALED).hexdigest(), made_at=self.world.clock(),
            )  # fmt: skip
            envelope = Envelope(
                new_event_id(), event.TYPE, "//tongban/certs", licence_id, 1, self.world.clock()
            )
            record = NewRecord(
                event.TOPIC, licence_id.encode(), envelope.headers(), event.model_dump_json().encode()
            )
            assert await producer.append([record]) == [None]
        await producer.close()

    async def sealed(self) -> int:
        return int((await self.world.rows("select count(*) from seal_use"))[0][0])

    async def announced(self) -> list[str]:
        """Licences whose signature left over the bus."""
        import asyncpg

        from chassis.bus.port import Bus  # noqa: F401 - what is read here is its database

        connection = await asyncpg.connect(self.bus_dsn)
        rows = await connection.fetch("select body from msg where topic = 'seal.signature.v1'")
        await connection.close()
        return [json.loads(row["body"])["licence_id"] for row in rows]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while await self.sealed() < count or len(await self.announced()) < count:
                await asyncio.sleep(0.05)


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture) -> Any:
    """Everything that was logged, before any masking."""
    caplog.set_level(logging.INFO)
    with structlog.testing.capture_logs() as lines:
        yield lambda: caplog.text + repr(lines)


@pytest.mark.parametrize("stop", sorted(STOPS))
async def test_no_signature_leaves_while_the_ledger_refuses_and_all_are_sealed_once_afterwards(
    stocked: SealWorld, fresh_bus_database: str, stop: str, log_lines: Any, record_property: Any
) -> None:
    serving = Serving(stocked, fresh_bus_database)
    broken, mended = STOPS[stop]
    async with serving.running():
        await serving.make(range(LICENCES // 2))
        await serving.until(3)
        await serving.admin(broken.format(role=serving.role))
        if stop == "read only":
            await serving.connect_anew()
        await asyncio.sleep(0.3)  # what had its row before the stop is through
        rows, left = await serving.sealed(), len(await serving.announced())
        assert rows < LICENCES
        await serving.make(range(LICENCES // 2, LICENCES))
        await asyncio.sleep(1.5)  # many tries
        assert await serving.sealed() == rows
        assert len(await serving.announced()) in {left, rows}
        assert (await stocked.rows("select count(*) from sealed_document"))[0][0] == rows
        assert (await stocked.rows("select count(*) from dead_letter"))[0][0] == 0
        with pytest.raises(Fault) as refused:  # an operator's change of a seal needs its record as well
            await change_without_history(serving, stop)
        assert refused.value.kind is Kind.UNAVAILABLE
        await serving.admin(mended.format(role=serving.role))
        if stop == "read only":
            await serving.connect_anew()
        await serving.until(LICENCES)
        await asyncio.sleep(0.3)
    announced = await serving.announced()
    assert sorted(announced) == sorted({f"licence-{number}" for number in range(LICENCES)})
    assert await serving.sealed() == LICENCES
    for number in range(LICENCES):
        async with stocked.unit() as work:
            assert await work.ledger.attempts(signature_id_of(f"licence-{number}")) == 1
    async with stocked.unit() as work:
        assert await check_ledger(work, sm2().digest) is None
    said = log_lines()
    assert "audit_unwritable" in said or stop == "read only"
    assert not [text for text in PRIVATE if text in said]
    record_property("measured", f"{stop}: {LICENCES} orders, 0 signatures without a row, each sealed once")


async def change_without_history(serving: Serving, stop: str) -> None:
    """Change a seal's state as the serving role while its history cannot be written."""
    if stop == "grant revoked":
        await serving.admin(f"revoke insert on seal_history from {serving.role}")
    elif stop == "quota filled":
        await serving.admin(
            "create trigger full_up before insert on seal_history for each row execute function full_up()"
        )
    world, owner = serving.world, serving.world.unit
    seal = await world.seal_of(GUANGFENG)
    world.unit = serving.unit
    try:
        await world.change(seal.seal_id, SealStatus.SUSPENDED)
    finally:
        world.unit = owner
        assert (await world.seal_of(GUANGFENG)).status is SealStatus.ACTIVE
        if stop == "grant revoked":
            await serving.admin(f"grant insert on seal_history to {serving.role}")
        elif stop == "quota filled":
            await serving.admin("drop trigger full_up on seal_history")
