"""Ten thousand licences through SealBatch of the real seal process: mutual TLS, PostgreSQL with fsync, signer, TSA.

Every hundredth item is no document; its refusal must not touch the others. The seal process's memory is read from
outside, and in the end the ledger, the kept documents and the signatures that came back are held against each other.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from chassis.bus import BusConfig, open_bus
from chassis.event import topics
from chassis.messaging_schema import BUS_V1
from cli.local.ports import free_port
from tests.integration.seal.batch_room import (
    OWN,
    Outcome,
    Recorded,
    Watched,
    grant_notices,
    recorded,
    seal_id_of_department,
    send_batch,
)
from tests.integration.seal.process_room import Stack
from tests.integration.seal.signer_room import SignerProcess, signer_process
from tests.integration.seal.stamping_servers import TsaProcess
from tests.load.measured import Measured
from tests.load.sealing_documents import Licences
from tests.load.servers import ROOT, create_database, postgres, scratch

OFD_BATCH = ("ofd_batch",)
ITEMS, FIRST = 10_000, 1_000
NO_DOCUMENT_EVERY = 100
MOST_GROWN_MIB = 16.0
"""From the thousandth item to the last; the documents sent in between weigh over ten times that."""
READY_SECONDS = 60.0
Note = Callable[[str], None]


async def ofd_batch(_names: tuple[str, ...], _seconds: float, note: Note) -> AsyncIterator[Measured]:
    """Measure one batch from the first item sent to the last answer."""
    yield await measure(ITEMS, note)


async def measure(items: int, note: Note) -> Measured:
    """Return the rate of a batch of so many items, and what its run cost and left behind."""
    first = min(FIRST, items // 2)
    async with _installation(note) as (stack, signer):
        with _serving(stack) as process:
            seal, marked = Watched(process.pid), Watched(_pid(signer))
            channel = stack.channel(OWN)
            seal_id = await seal_id_of_department(channel)
            await grant_notices(stack, seal_id)
            await send_batch(channel, seal_id, _items(0, 20), seal, ())  # everything is loaded and open
            at_start, cpu, signer_cpu = seal.resident_mib, seal.cpu_seconds, marked.cpu_seconds
            before = await recorded(stack.database_dsn)
            note(f"a batch of {items}")
            outcome = await send_batch(channel, seal_id, _items(20, items), seal, (first, items))
            cpu, signer_cpu = seal.cpu_seconds - cpu, marked.cpu_seconds - signer_cpu
            peak = seal.peak_mib
            await channel.close()
        after = await recorded(stack.database_dsn)
    grown = round(outcome.resident_mib[items] - outcome.resident_mib[first], 1)
    return Measured(
        "ofd_batch",
        round(outcome.answered / outcome.seconds, 1),
        "items/s through SealBatch",
        rows=outcome.answered,
        detail={
            "rows": "items of the one batch",
            "sealed": outcome.sealed,
            "refused": len(outcome.refused),
            **_agreement(outcome, before, after),
            "resident_mib_start": at_start,
            f"resident_mib_after_{first}": outcome.resident_mib[first],
            "resident_mib_end": outcome.resident_mib[items],
            "grown_mib": grown,
            "bound_mib": MOST_GROWN_MIB,
            "memory_flat": grown < MOST_GROWN_MIB,
            "peak_mib": peak,
            "seal_process_cpu_ms_per_item": round(1000 * cpu / items, 2),
            "signer_cpu_ms_per_item": round(1000 * signer_cpu / items, 2),
            "processes": "this bench renders and checks; seal, signer, TSA and PostgreSQL beside it on the same cores",
        },
    )


def _agreement(outcome: Outcome, before: Recorded, after: Recorded) -> dict[str, object]:
    """Say whether ledger, kept documents and the signatures that came back are the same ones."""
    fresh = after.signature_ids - before.signature_ids
    refused = sum(count for name, count in after.outcomes.items() if name != "sealed")
    refused -= sum(count for name, count in before.outcomes.items() if name != "sealed")
    return {
        "ledger_rows_sealed": len(fresh),
        "ledger_rows_refused": refused,
        "rows_are_the_signatures": fresh == outcome.signature_ids and refused == len(outcome.refused),
        "wrong_answers": len(outcome.wrong),
    }


def _items(first: int, count: int) -> Iterator[tuple[str, bytes]]:
    licences = Licences()
    for number in range(first, first + count):
        broken = number % NO_DOCUMENT_EVERY == NO_DOCUMENT_EVERY // 2
        yield f"item-{number}", b"no OFD" if broken else licences.build(number)


@asynccontextmanager
async def _installation(note: Note) -> AsyncIterator[tuple[Stack, SignerProcess]]:
    """A fresh installation with a seal for every department, not serving yet."""
    import events  # noqa: F401 - declares the topics

    note("a server, keys and seals")
    async with postgres() as admin:
        bus_dsn = await create_database(admin, "bus", BUS_V1)
        bus = await open_bus(BusConfig("postgres", "load", postgres_dsn=bus_dsn))
        await bus.create_topics(topics(), 2)
        await bus.close()
        seal_dsn = await create_database(admin, "seal")
        with scratch() as home, signer_process() as signer:
            at = [f"127.0.0.1:{free_port()}" for _ in range(2)]
            stack = Stack(
                home, seal_dsn, bus_dsn, at[0], free_port(), at[1], str(signer.socket), TsaProcess(home)
            )
            await asyncio.to_thread(_prepare, stack)
            yield stack, signer


def _prepare(stack: Stack) -> None:
    stack.tsa.job("make-tsa-keys")
    for word, side in (("migrate", "signing"), ("make-keys", "signing"), ("make-seals", "maker")):
        done = stack.job(word, side)
        if done.returncode:
            raise RuntimeError(f"{word}: {done.stderr[-1_000:]}")


@contextmanager
def _serving(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """The serving process and the TSA for the block."""
    stack.tsa.start()
    with (stack.home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.seal", "serve"],
            cwd=ROOT, env=stack.environment("signing"), stdout=log, stderr=log,
        )  # fmt: skip
        try:
            _await_ready(stack, process)
            yield process
        finally:
            process.terminate()
            process.wait(30)
            stack.tsa.stop()


def _await_ready(stack: Stack, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_SECONDS
    while not (stack.home / "ready").exists():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError((stack.home / "log").read_text()[-1_000:])
        time.sleep(0.05)


def _pid(signer: SignerProcess) -> int:
    assert signer.process is not None
    return signer.process.pid
