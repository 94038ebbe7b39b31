"""The whole installation with its time-stamper stopped: nothing is sealed, then all of it once (bar P8)."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from chassis.bus import BusConfig, NewRecord, open_bus
from chassis.clock import system_clock
from chassis.event import Envelope, new_event_id
from chassis.rpc.channel import service
from chassis.rpc.server import RpcServer
from events.certs import LicenceMade
from tests.integration.seal.process_room import (
    DEPARTMENT,
    Stack,
    certs_with,
    prepared,
    serving,
    signer,
    stack,
)
from tests.unit.seal.sealing_room import ofd_files, pack
from tongban.certs.v1 import licence_pb2_grpc

__all__ = ["prepared", "serving", "signer", "stack"]
pytestmark = [pytest.mark.promise("P8")]
DOCUMENT = pack(ofd_files())
WAIT_SECONDS = 60.0


def made(licence_id: str) -> NewRecord:
    event = LicenceMade(
        licence_id=licence_id, identifier="x", type_code="t", county_code="361103", issuer_code=DEPARTMENT,
        case_id="case-1", part_id="p", item_code="i", document_sha256=hashlib.sha256(DOCUMENT).hexdigest(),
        made_at=system_clock(),
    )  # fmt: skip
    envelope = Envelope(new_event_id(), event.TYPE, "//tongban/certs", licence_id, 1, system_clock())
    return NewRecord(event.TOPIC, licence_id.encode(), envelope.headers(), event.model_dump_json().encode())


@asynccontextmanager
async def certs(installed: Stack) -> AsyncIterator[None]:
    server = RpcServer(installed.authority.identity(service("certs")))
    server.register(licence_pb2_grpc.add_LicenceServiceServicer_to_server, certs_with(DOCUMENT))
    await server.start(installed.certs)
    yield
    await server.drain(notice_seconds=0)


async def deliver(installed: Stack, *licences: str) -> None:
    bus = await open_bus(BusConfig("postgres", "test", postgres_dsn=installed.bus_dsn))
    producer = bus.producer()
    for licence_id in licences:
        assert await producer.append([made(licence_id)]) == [None]
    await asyncio.gather(producer.close(), bus.close())


async def until(connection: asyncpg.Connection, query: str, wanted: int, installed: Stack) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while await connection.fetchval(query) != wanted:
        assert time.monotonic() < end, (installed.home / "log").read_text()[-4_000:]
        await asyncio.sleep(0.1)


SEALED = "select count(*) from seal_use where outcome = 'sealed'"
STAMPED = "select coalesce(max(sequence), 0)::int from ledger_checkpoint"


async def test_the_time_stamper_stops_and_comes_back_and_every_licence_is_sealed_once(serving: Stack):
    connection = await asyncpg.connect(serving.database_dsn)
    async with certs(serving):
        await deliver(serving, "licence-1")
        await until(connection, SEALED, 1, serving)
        await until(connection, STAMPED, 1, serving)
        assert serving.tsa.stop() == 0
        await deliver(serving, "licence-2", "licence-3")
        end = time.monotonic() + WAIT_SECONDS
        while "TIMESTAMP_UNAVAILABLE" not in (serving.home / "log").read_text():
            assert time.monotonic() < end
            await asyncio.sleep(0.1)
        assert await connection.fetchval("select count(*) from seal_use") == 1
        assert await connection.fetchval("select count(*) from parked_key") == 0
        serving.tsa.start()
        await until(connection, SEALED, 3, serving)
        await until(connection, STAMPED, 3, serving)
    assert await connection.fetchval("select count(distinct licence_id) from seal_use") == 3
    done = await asyncio.to_thread(serving.job, "verify-ledger")
    assert done.returncode == 0, done.stdout + done.stderr
    for change, said in (
        ("ledger_checkpoint set token = set_byte(token, 300, get_byte(token, 300) # 1) where number = 1",
         "ledger_time_broken"),
        ("seal_use set case_id = 'case-2' where sequence = 2", "ledger_broken"),
    ):  # fmt: skip
        table = change.split()[0]
        await connection.execute(f"alter table {table} disable trigger all")
        await connection.execute(f"update {change}")
        await connection.execute(f"alter table {table} enable trigger all")
        done = await asyncio.to_thread(serving.job, "verify-ledger")
        assert (done.returncode, said in done.stdout) == (1, True), done.stdout + done.stderr
    assert '"sequence": 2' in done.stdout
    await connection.close()
