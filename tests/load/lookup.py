"""FindLicences over mutual TLS on the real certs: with 100,000 licences, with 5,000,000, and the empty handler.

Each of the three is a service as it is installed, a process for each core; beside them the smallest registry
and the empty handler are asked by one process each. All stand side by side and are asked in turns, so that
whatever else the machine does falls on each of them. Persons are chosen at random over the whole registry; every look-up decrypts, masks and records, and the
record is flushed to disk before the answer leaves.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from chassis.rpc.channel import PeerChannel, open_channel
from chassis.rpc.channel import service as service_peer
from cli.local.ports import LOOPBACK, free_port
from tests.load.certs_alone import CertsAlone, certs_alone
from tests.load.filling import EACH, MARKET, citizen, fill
from tests.load.measured import Measured, percentiles
from tests.load.servers import child, scratch
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import licence_pb2_grpc

SIZES = (100_000, 5_000_000)
PROCESSES = max(2, len(os.sched_getaffinity(0)))
CHANNELS, CALLS_AT_A_TIME = 4, 64
"""Of each process."""
TURN_SECONDS = 2.0
WARM_UP_SECONDS = 0.3
QUIET_SECONDS = 3.0
Note = Callable[[str], None]


@dataclass
class Asked:
    """A server that is asked, and what its answers took."""

    rows: int
    peers: list[PeerChannel]
    """Those of each process one after the other."""
    persons: int
    processes: int
    rates: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    answer: bytes = b""

    async def turn(self, seconds: float) -> None:
        """Ask for so long, ``CALLS_AT_A_TIME`` calls at a time of each process."""
        took = await self._look_up(self.peers, CALLS_AT_A_TIME * self.processes, seconds)
        self.rates.append(len(took) / seconds)
        self.took += took

    async def alone(self, seconds: float) -> None:
        """Ask one call at a time."""
        self.quiet += await self._look_up(self.peers[:1], 1, seconds)

    def of_one_process(self) -> Asked:
        """Return the same server asked by its first process only."""
        return Asked(self.rows, self.peers[: len(self.peers) // self.processes], self.persons, 1)

    async def _look_up(self, peers: Sequence[PeerChannel], at_a_time: int, seconds: float) -> list[float]:
        """Return the time of each call that began and ended within the span."""
        took: list[float] = []
        begins = time.monotonic() + WARM_UP_SECONDS
        ends = begins + seconds

        async def caller(peer: PeerChannel) -> None:
            stub: Any = licence_pb2_grpc.LicenceServiceStub(peer.channel)
            chance = random.Random()
            while (began := time.monotonic()) < ends:
                answer = await peer.call(stub.FindLicences, _question(chance.randrange(self.persons)))
                if began >= begins and time.monotonic() <= ends:
                    took.append(time.monotonic() - began)
            assert len(answer.licences) == EACH
            self.answer = answer.SerializeToString()

        await asyncio.gather(*(caller(peer) for peer, _ in zip(itertools.cycle(peers), range(at_a_time))))
        return took


async def licence_lookup(seconds: float, note: Note, sizes: Sequence[int] = SIZES) -> AsyncIterator[Measured]:
    """Give look-ups per second with no rows (the empty handler), and with each size of registry."""
    async with AsyncExitStack() as opened:
        filled: list[Asked] = []
        loaded: dict[int, float] = {}
        for size in sizes:
            certs = await opened.enter_async_context(certs_alone(PROCESSES))
            began = time.monotonic()
            await fill(certs, size, note)
            loaded[size] = round(time.monotonic() - began, 1)
            filled.append(await _asked(opened, certs, certs.addresses, size))
        note("warming up")
        for each in filled:
            await each.alone(1.0)
        addresses = [
            await opened.enter_async_context(_empty_server(certs, filled[0].answer)) for _ in range(PROCESSES)
        ]
        empty = await _asked(opened, certs, addresses, 0, filled[0].persons)
        single, lone = filled[0].of_one_process(), empty.of_one_process()
        everyone = [empty, *filled, lone, single]
        for number in range(max(2, round(seconds / TURN_SECONDS))):
            for each in everyone if number % 2 else everyone[::-1]:
                note(f"turn {number + 1}: {each.rows:,} rows, {each.processes} processes")
                await each.turn(TURN_SECONDS)
        for each in (empty, *filled):
            note(f"quiet: {each.rows:,} rows, one call at a time")
            await each.alone(min(seconds, QUIET_SECONDS))
        assert len(empty.answer) == len(filled[0].answer)  # a map's order differs between serialisations
        yield _measured(empty, None, {})
        for each in filled:
            more: dict[str, Any] = {"loaded_seconds": loaded[each.rows]}
            if each is filled[0]:
                more["one_process"] = _one_process(single, lone)
            else:
                more["flat"] = _flat(filled[0], each)
            yield _measured(each, empty, more)


def _measured(asked: Asked, empty: Asked | None, more: Mapping[str, Any]) -> Measured:
    rate = statistics.median(asked.rates)
    limit = rate / _paired(asked, empty) if empty else None
    return Measured(
        "licence_lookup",
        round(rate, 1),
        "calls/s",
        **percentiles(asked.took),
        limit_name="empty handler, same server, request and answer" if empty else None,
        limit_value=round(limit, 1) if limit else None,
        rows=asked.rows,
        detail={
            "rows": "licences in the registry; 0 is the empty handler"
            if empty
            else "the empty handler itself",
            "processes": asked.processes,
            "calls_at_a_time": CALLS_AT_A_TIME * asked.processes,
            "answer_bytes": len(asked.answer),
            "one_at_a_time": percentiles(asked.quiet),
            "turns": len(asked.rates),
            **({"empty_measured": round(statistics.median(empty.rates), 1)} if empty else {}),
            **more,
        },
    )


def _one_process(single: Asked, lone: Asked) -> dict[str, float]:
    """Return what one process gives, and its share of one process of the empty handler."""
    rate = round(statistics.median(single.rates), 1)
    return {"rate": rate, "of_empty": round(_paired(single, lone), 4), **percentiles(single.took)}


def _paired(asked: Asked, other: Asked) -> float:
    """Return the rate as a share of another's: the median over the turns they had side by side."""
    return statistics.median(one / two for one, two in zip(asked.rates, other.rates, strict=True))


def _flat(small: Asked, large: Asked) -> dict[str, float]:
    """Return how the large registry does as a share of the small one: 1 where size costs nothing."""
    one, two = percentiles(small.took), percentiles(large.took)
    return {"rate": round(_paired(large, small), 4)} | {
        name: round(one[name] / two[name], 4) for name in ("p50_ms", "p95_ms", "p99_ms")
    }


async def _asked(
    opened: AsyncExitStack, certs: CertsAlone, addresses: Sequence[str], rows: int, persons: int = 0
) -> Asked:
    """Return a server with several connections to each process: one server thread works on each."""
    tls = certs.department(MARKET)
    peers = [
        open_channel(address, service_peer("certs"), tls) for address in addresses for _ in range(CHANNELS)
    ]
    for peer in peers:
        opened.push_async_callback(peer.close)
    return Asked(rows, peers, persons or rows // EACH, len(addresses))


@asynccontextmanager
async def _empty_server(certs: CertsAlone, answer: bytes) -> AsyncIterator[str]:
    """Run the empty handler under the identity of certs; give its address."""
    address, tls = f"{LOOPBACK}:{free_port()}", certs.service("certs")
    with scratch() as directory:
        (directory / "answer").write_bytes(answer)
        given = {
            "address": address,
            "answer": str(directory / "answer"),
            "certificate": str(tls.certificate),
            "key": str(tls.key),
            "authority": str(tls.authority),
        }
        async with child("tests.load.empty_server", json.dumps(given)) as server:
            await server.answer()
            yield address


def _question(person: int) -> pb.FindLicencesRequest:
    purpose = pb.Purpose(
        use_cause="食品经营许可审查",
        basis=pb.BASIS_STATUTORY_DUTY,
        item_code="food-operation-licence",
        case_id="load",
    )
    return pb.FindLicencesRequest(
        holder_id_type_code="111", holder_id_number=citizen(person), purpose=purpose
    )
