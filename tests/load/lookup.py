"""FindLicences over mutual TLS on the real certs process, beside an empty handler of the same server."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from chassis.rpc.channel import PeerChannel, open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.tls import TlsFiles
from cli.clients.department import Department
from cli.local.ports import LOOPBACK, free_port
from standards.identifiers import build_citizen_id, build_licence_identifier
from tests.load.certs_alone import CertsAlone, certs_alone
from tests.load.measured import Measured, percentiles
from tests.load.servers import child, scratch
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import licence_pb2_grpc

ROWS = 10_000
ROWS_EACH = 2
ROWS_PER_MESSAGE = 250
MARKET = "11361103TB1000011X"
BUSINESS = "11100000MB0143028R001"
CHANNELS, CALLS_AT_A_TIME = 4, 16
WARM_UP_SECONDS = 1.0
Note = Callable[[str], None]


async def licence_lookup(seconds: float, note: Note) -> Measured:
    """Return look-ups per second with 10,000 licences in the registry."""
    async with certs_alone() as certs:
        note(f"importing {ROWS} rows")
        imported = await _import(certs)
        address = certs.address
        async with _clients(address, certs.department(MARKET)) as peers:
            note("quiet: one call at a time")
            quiet, _ = await _look_up(peers[:1], 1, min(seconds, 3.0))
            note(f"{CALLS_AT_A_TIME} calls at a time")
            busy, answer = await _look_up(peers, CALLS_AT_A_TIME, seconds)
        note("the limit: an empty handler")
        limit, limit_quiet = await _limit(certs, answer, seconds)
    return Measured(
        "licence_lookup",
        round(len(busy) / seconds, 1),
        "calls/s",
        **percentiles(busy),
        limit_name="empty handler, same server, same request and answer",
        limit_value=limit,
        rows=ROWS,
        detail={
            "rows": "licences in the registry",
            "calls_at_a_time": CALLS_AT_A_TIME,
            "answer_bytes": len(answer),
            "one_at_a_time": percentiles(quiet),
            "limit_one_at_a_time": limit_quiet,
            "imported_per_second": imported,
        },
    )


class _clients:  # noqa: N801 - reads as a context manager
    """Several connections to one server, since one server thread works on each."""

    def __init__(self, address: str, tls: TlsFiles) -> None:
        self._peers = [open_channel(address, service_peer("certs"), tls) for _ in range(CHANNELS)]

    async def __aenter__(self) -> list[PeerChannel]:
        return self._peers

    async def __aexit__(self, *_: object) -> None:
        for peer in self._peers:
            await peer.close()


async def _look_up(peers: Sequence[PeerChannel], at_a_time: int, seconds: float) -> tuple[list[float], bytes]:
    """Return the time of each call that began and ended within the span, and the last answer."""
    took: list[float] = []
    last = b""
    begins = time.monotonic() + WARM_UP_SECONDS
    ends = begins + seconds

    async def caller(number: int, peer: PeerChannel) -> None:
        nonlocal last
        stub: Any = licence_pb2_grpc.LicenceServiceStub(peer.channel)
        chance = random.Random(number)
        while (began := time.monotonic()) < ends:
            answer = await peer.call(stub.FindLicences, _question(chance.randrange(ROWS // ROWS_EACH)))
            if began >= begins and time.monotonic() <= ends:
                took.append(time.monotonic() - began)
            last = answer.SerializeToString()

    await asyncio.gather(
        *(
            caller(number, peer)
            for number, peer in zip(range(at_a_time), itertools.cycle(peers), strict=False)
        )
    )
    return took, last


async def _limit(certs: CertsAlone, answer: bytes, seconds: float) -> tuple[float, dict[str, float]]:
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
            async with _clients(address, certs.department(MARKET)) as peers:
                quiet, _ = await _look_up(peers[:1], 1, min(seconds, 3.0))
                busy, same = await _look_up(peers, CALLS_AT_A_TIME, seconds)
    assert len(same) == len(answer)  # a map's order differs from one serialisation to the next
    return round(len(busy) / seconds, 1), percentiles(quiet)


def _question(holder: int) -> pb.FindLicencesRequest:
    purpose = pb.Purpose(
        use_cause="食品经营许可审查",
        basis=pb.BASIS_STATUTORY_DUTY,
        item_code="food-operation-licence",
        case_id="load",
    )
    return pb.FindLicencesRequest(
        holder_id_type_code="111", holder_id_number=_citizen(holder), purpose=purpose
    )


async def _import(certs: CertsAlone) -> float:
    """Fill the registry through its own door; return rows per second."""

    async def messages() -> AsyncIterator[Sequence[tuple[int, Mapping[str, str]]]]:
        for start in range(0, ROWS, ROWS_PER_MESSAGE):
            yield [(number, _row(number)) for number in range(start + 1, start + 1 + ROWS_PER_MESSAGE)]

    began, created = time.monotonic(), 0
    async with Department(MARKET, certs.department(MARKET), {"certs": certs.address}) as department:
        async for answer in department.import_rows(str(uuid.uuid4()), messages()):
            assert answer.outcome == "created", answer
            created += 1
    assert created == ROWS
    return round(ROWS / (time.monotonic() - began), 1)


def _row(number: int) -> dict[str, str]:
    serial, name = f"2026{number:06d}", f"测试{number % 97:02d}"
    return {
        "ZZMC": "营业执照",
        "ZZLXDM": BUSINESS,
        "ZZBH": serial,
        "ZZBS": build_licence_identifier(BUSINESS, MARKET, serial),
        "ZZBFJG": "上饶市广丰区市场监督管理局",
        "ZZBFJGDM": MARKET,
        "ZZBFRQ": "2024-03-05",
        "CZZT": name,
        "CZZTDM": _citizen((number - 1) // ROWS_EACH),
        "CZZTDMLXDM": "111",
        "ZZYXQJZRQ": "长期",
        "KZ_MC": f"广丰区{name}餐饮店",
        "KZ_TYSHXYDM": "92361103MA0000000A",
        "KZ_LX": "个体工商户",
        "KZ_FDDBR": name,
        "KZ_JYFW": "餐饮服务",
        "KZ_CLRQ": "2024-03-05",
        "KZ_ZS": "江西省上饶市广丰区永丰街道一号",
    }


def _citizen(number: int) -> str:
    return build_citizen_id("361103", date(1960, 1, 1) + timedelta(days=number), 11)
