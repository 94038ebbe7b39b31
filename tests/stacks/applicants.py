"""Synthetic persons and departments that do case work over the public doors, also while services die.

The item is the social security card: one department, one signature, a licence to the applicant.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import struct
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chassis.errors import Fault, Kind
from cli.clients.citizen import Citizen, new_key
from cli.clients.department import Department, state_name
from cli.clients.sandbox import Sandbox
from cli.demo.people import SyntheticPerson, make_person
from cli.departments import office_by_id, read_offices
from cli.reach import Reach
from tests.stacks.local import ROOT

ITEM = "social-security-card"
COUNTY = "361103"
OFFICE = "361103-labour"
TERMINALS = tuple(
    f"KIOSK-{county}-0{number}" for county in ("361103", "361123", "422827") for number in (1, 2)
)
PATIENCE_SECONDS = 60.0
_RETRY_SECONDS = 0.1
_PASSING = {Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.ABORTED}
T = TypeVar("T")


@dataclass(slots=True)
class Applicant:
    """A person with a session, and what they were told."""

    person: SyntheticPerson
    citizen: Citizen
    receipts: dict[str, set[str]] = field(default_factory=dict)
    """Case id → every case number that a receipt of it named."""


Arrive = Callable[[int], Awaitable[list[Applicant]]]
"""``await arrive(count)``: so many more persons, logged in."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The deciding department and one of its staff."""

    department: Department
    staff_id: str

    async def accept(self, part_id: str) -> None:
        """Have the part accepted."""
        await self.department.accept(await self.department.part(part_id), self.staff_id)

    async def approve(self, part_id: str) -> None:
        """Put the one signature under the accepted part."""
        await self.department.sign(await self.department.part(part_id), self.staff_id, "材料齐全，准予办理")


@asynccontextmanager
async def open_hall(reach: Reach, seed: int) -> AsyncIterator[tuple[Arrive, Desk]]:
    """Yield how people arrive and log in, spread over the terminals, and the department that decides."""
    rng, places = random.Random(seed), itertools.cycle(TERMINALS)
    office = office_by_id(read_offices(ROOT / "catalogue"), OFFICE)
    async with AsyncExitStack() as open_doors:
        door = await open_doors.enter_async_context(reach.door("intake"))
        sandbox = Sandbox(await open_doors.enter_async_context(reach.door("notify")))
        department = await open_doors.enter_async_context(reach.department(office.uscc))

        async def log_in(terminal_id: str, person: SyntheticPerson) -> Applicant:
            from cli.clients.kiosk import CardReading

            kiosk = reach.kiosk(door, terminal_id)
            challenge = await kiosk.begin(CardReading(person.id_number, person.name), person.phone)
            code = await patiently(lambda: sandbox.one_time_code(person.phone, known=0))
            return Applicant(person, await kiosk.finish(challenge, code))

        async def arrive(count: int) -> list[Applicant]:
            persons = [make_person(rng, COUNTY) for _ in range(count)]
            return list(await asyncio.gather(*(log_in(next(places), person) for person in persons)))

        yield arrive, Desk(department, office.staff_of("reviewer")[0])


@asynccontextmanager
async def case_workers(reach: Reach, count: int, seed: int) -> AsyncIterator[tuple[list[Applicant], Desk]]:
    """Yield logged-in persons and the department that decides."""
    async with open_hall(reach, seed) as (arrive, desk):
        yield await arrive(count), desk


async def draft(applicant: Applicant) -> dict[str, Any]:
    """Return a complete draft: form filled, every material supplied."""
    form = {"home_address": applicant.person.address, "contact_mobile": applicant.person.phone}
    case = await applicant.citizen.create_case("item", ITEM, COUNTY, {"applied_by_agent": "self"}, form)
    case_id = case["case_id"]
    await applicant.citizen.supply(case_id, "identity_card", {"kind": "tolerance", "agreed": True})
    await applicant.citizen.upload(case_id, "photo", "photo.png", "image/png", PHOTO)
    return case


async def submit(applicant: Applicant, case_id: str, key: str) -> dict[str, Any]:
    """Hand a draft in and keep what the receipt says."""
    receipt = await applicant.citizen.submit(case_id, key)
    applicant.receipts.setdefault(case_id, set()).add(receipt["case_no"])
    return receipt


async def patiently(step: Callable[[], Awaitable[T]], seconds: float = PATIENCE_SECONDS) -> T:
    """Repeat a step that fails for a passing reason, as every client of ours does."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await step()
        except Fault as problem:
            if problem.kind not in _PASSING or time.monotonic() > deadline:
                raise
        await asyncio.sleep(_RETRY_SECONDS)


async def carry_through(applicant: Applicant, desk: Desk) -> str:
    """Take one case from nothing to its approval, whatever dies meanwhile; return its id.

    A step that may have happened is asked about before it is done again.
    """
    case = await patiently(lambda: draft(applicant))
    case_id, key = case["case_id"], new_key()
    await patiently(lambda: submit(applicant, case_id, key))
    for part in case["parts"]:
        await patiently(lambda part_id=part["part_id"]: _advance(desk, part_id))
    return str(case_id)


async def _advance(desk: Desk, part_id: str) -> None:
    part = await desk.department.part(part_id)
    if state_name(part.state) == "submitted":
        part = await desk.department.accept(part, desk.staff_id)
    if state_name(part.state) == "accepted":
        await desk.department.sign(part, desk.staff_id, "材料齐全，准予办理")


def parts_of(case: dict[str, Any]) -> Sequence[str]:
    """Return the ids of a case's parts."""
    return [part["part_id"] for part in case["parts"]]


def _png(side: int = 8) -> bytes:
    """Return a small grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x80" * side for _ in range(side))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PHOTO = _png()
