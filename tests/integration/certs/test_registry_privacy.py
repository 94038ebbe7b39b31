"""Every act of the registry with seeded persons, then the bytes of the database are searched for them: 0 hits.

The data directory and the write-ahead log are read as files after a checkpoint, the tables of the bus and the log
lines as text, and the stored documents as they lie on the disk. A value counts as found in UTF-8, in UTF-16, as
hex, as base64 at any offset, and as an escaped text.
"""

from __future__ import annotations

import base64
import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest

from chassis.errors import Fault
from services.certs.rpc.sources import SourceServicer
from standards.identifiers import build_citizen_id, build_licence_identifier
from tests.integration.certs.conftest import FIRE, MARKET, World
from tests.integration.certs.evidence_room import (
    case_handed_in,
    covers,
    duty_code,
    entrusted,
    entrustment,
    offline,
)
from tests.integration.certs.federation_sites import Site
from tests.integration.certs.life_desk import Desk as LifeDesk
from tests.integration.certs.recourse import Recourse, Said
from tests.integration.certs.test_evidence import ask, copy, of, search
from tests.integration.certs.test_federation import CITY, sites
from tests.integration.certs.test_log_service import Log
from tests.integration.certs.test_presentations import in_force, present, scan
from tests.integration.certs.test_sources import INSERT, register, resolve, send
from tests.integration.certs.test_types import Office, entry
from tests.integration.certs.test_use_codes import consume, issued, uses
from tongban.certs.v1 import evidence_pb2, holder_pb2
from tongban.certs.v1 import licence_life_pb2 as life
from tongban.certs.v1 import source_pb2 as sources

pytestmark = [pytest.mark.promise("P24"), pytest.mark.timeout(300)]
__all__ = ["sites"]

NAME, AGENT_NAME = "欧阳澍霖", "司徒翊宸"
ADDRESS = "江西省上饶市广丰区下溪街道杉溪村三组七十七号"
PHONE = "19900000077"
HOLDER = build_citizen_id("361103", date(1977, 7, 17), 71)
AGENT = build_citizen_id("361103", date(1966, 6, 16), 62)
STATEMENT = f"登记姓名有误，应为{NAME}，证件号{HOLDER}，电话{PHONE}，住{ADDRESS}"
CARD = "11100000000013127D001"


def secrets() -> dict[str, str]:
    return {
        "name": NAME,
        "agent": AGENT_NAME,
        "address": ADDRESS,
        "phone": PHONE,
        "holder's and card's number": HOLDER,
        "agent's number": AGENT,
    }


def spellings(value: str) -> Iterator[bytes]:
    """Yield a value as a careless column, log line or dump might hold it."""
    plain = value.encode()
    yield plain
    yield value.encode("utf-16-le")
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    yield json.dumps(value)[1:-1].encode()
    for offset in range(3):  # what stands before it moves base64; the characters at the edges differ
        coded = base64.b64encode(b"\0" * offset + plain)
        yield coded[offset and offset + 1 : -4]
        yield base64.urlsafe_b64encode(b"\0" * offset + plain)[offset and offset + 1 : -4]


def hits(content: bytes, values: dict[str, str]) -> list[str]:
    return [what for what, value in values.items() if any(each in content for each in spellings(value))]


def test_the_search_finds_what_is_there() -> None:
    values = {"holder": HOLDER, "name": NAME}
    for held in (
        HOLDER.encode(),
        b"x" + NAME.encode() + b"y",
        NAME.encode("utf-16-le"),
        f"ab{HOLDER}cd".encode().hex().encode(),
        *(base64.b64encode(b"n" * n + NAME.encode() + b"tail") for n in range(5)),
        json.dumps({"n": NAME}).encode(),
    ):
        assert hits(held, values), held
    assert hits(b"nothing of the kind", values) == []


async def data_directory(world: World) -> Path:
    """Return the server's directory with everything that it was told on disk."""
    async with world.database.transaction() as tx:
        address = str(await tx.fetchval("show data_directory"))
    async with world.database.connection() as connection:
        await connection.execute("checkpoint")
        await connection.execute("select pg_switch_wal()")
        await connection.execute("checkpoint")
    return Path(address)


async def searched(world: World, values: dict[str, str]) -> tuple[dict[str, list[str]], int]:
    """Return the files of the server and the stored documents that hold a value, and how many bytes were read."""
    root = await data_directory(world)
    async with world.database.transaction() as tx:
        oid = await tx.fetchval("select oid from pg_database where datname = current_database()")
        await tx.fetchval("select pg_relation_filepath('licence')")
    found: dict[str, list[str]] = {}
    size = 0
    for folder in (root / "base" / str(oid), root / "pg_wal", world.documents_dir):
        for path in folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                size += len(content)
                if hit := hits(content, values):
                    found[str(path.relative_to(folder.parent))] = hit
    return found, size


async def in_tables(world: World, values: dict[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    async with world.database.transaction() as tx:
        tables = await tx.fetch("select tablename from pg_tables where schemaname = 'public'")
        for (table,) in tables:
            rows = await tx.fetch(f'select t::text as line from "{table}" t')
            content = "\n".join(row["line"] for row in rows).encode()
            if hit := hits(content, values):
                found[table] = hit
    return found


async def stocked(world: World, **changed: str) -> tuple[str, dict[str, str]]:
    row = world.row(HOLDER, NAME, KZ_ZS=ADDRESS, KZ_MC="无名商行", **changed)
    with world.as_department():
        (result,) = await world.import_rows(row)
    assert result.licence_id, result
    return str(result.licence_id), row


async def every_act(world: World) -> None:
    """Do with the seeded persons whatever there is to do."""
    licence_id, row = await stocked(world)
    await brought_in(world, row)
    await used(world, licence_id, row)
    await disputed_and_changed(world, licence_id)


async def brought_in(world: World, row: dict[str, str]) -> None:
    card = {"ZZLXDM": CARD, "ZZBS": build_licence_identifier(CARD, MARKET, HOLDER), "ZZBH": HOLDER}
    with suppress(AssertionError):
        await stocked(world, **card)  # refused or taken: neither may leave the number
    desk = SourceServicer(world.desk)
    await register(world, desk, "lesser", priority=20)
    with world.as_department(FIRE):
        await send(world, (INSERT, row | {"CZZT": NAME + "二", "KZ_JYFW": "食品销售"}), source_id="lesser")
        await send(world, (0, row | {"KZ_JYFW": "食品销售"}), source_id="lesser")
    with world.as_department():
        listed = await desk.ListImportConflicts(sources.ListImportConflictsRequest(), None)
        assert listed.conflicts, "an offered row is kept aside"
        await resolve(desk, listed.conflicts[0].conflict_id, sources.CONFLICT_RESOLUTION_KEPT)
        bad = await world.import_rows(row | {"CZZTDM": HOLDER[:-1], "ZZBFRQ": ADDRESS})
        assert bad[0].problems


async def used(world: World, licence_id: str, row: dict[str, str]) -> None:
    code = await issued(world, licence_id, HOLDER)
    await consume(world, code)
    entrustment_id = await entrusted(
        world, entrustment(world, HOLDER, AGENT, names={"grantor": NAME, "agent": AGENT_NAME})
    )
    agent = {"entrustment_id": entrustment_id, "agent_id_type_code": "111", "agent_id_number": AGENT}
    await issued(world, licence_id, HOLDER, **agent)
    await case_handed_in(world, "case-1", ("item-1", MARKET), of=HOLDER)
    await duty_code(world, licence_id)
    for wrong in ({"case_id": "case-9"}, {"holder_id_type_code": "111", "holder_id_number": AGENT}):
        with suppress(Fault):
            await consume(world, await issued(world, licence_id, HOLDER), **wrong)
    made = await in_force(world, HOLDER)
    shown = await present(world, made, HOLDER)
    await scan(world, shown.qr_text)
    await offline(world, made, HOLDER)
    for query in (
        {"holder": of(HOLDER)},
        {"number": evidence_pb2.NumberQuery(number=row["ZZBH"])},
        {"identifier": row["ZZBS"]},
    ):
        await search(world, **query)
        await ask(world, covers("KZ_FDDBR", "EQ", NAME), covers("KZ_ZS", "EQ", ADDRESS), **query)
    await copy(world, made)


async def disputed_and_changed(world: World, licence_id: str) -> None:
    life_desk = LifeDesk(world)
    made = await life_desk.issuing.approve(HOLDER, "part-2")
    await life_desk.issuing.seal(made)
    await life_desk.change(made, face={"KZ_JYCS": ADDRESS})
    await life_desk.order(made, life.LICENCE_ACT_CANCEL)
    recourse = Recourse(world, Said())
    await recourse.freeze(await recourse.open(licence_id, HOLDER, statement=STATEMENT))
    with suppress(Fault):
        await recourse.read(licence_id, FIRE, "case-2")
    await recourse.status_at(licence_id)
    await uses(world, HOLDER)
    with world.as_intake():
        await recourse.holders.ExportHolderUses(
            holder_pb2.ExportHolderUsesRequest(holder_id_type_code="111", holder_id_number=HOLDER), None
        )
    office = Office(world)
    document = entry()
    document["registry"]["disclosure"] = {"statutory_duty": {"KZ_FDDBR": "masked"}}
    await office.publish(document)
    refused = entry()
    next(each for each in refused["face_fields"] if each["code"] == "KZ_ZS")["max_length"] = 3
    with suppress(Fault):
        await office.publish(refused)
    await recourse.recall()
    await Log(world).sequence()


async def test_nothing_on_the_disk_or_the_bus_names_a_person_after_every_act(
    world: World, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG):
        await every_act(world)
    values = secrets()
    filled = (
        "dispute",
        "import_conflict",
        "annotated_copy",
        "entrustment",
        "log_leaf",
        "licence_type",
        "usage",
    )
    async with world.database.transaction() as tx:
        for table in filled:
            assert await tx.fetchval(f"select count(*) from {table}"), table
    assert await in_tables(world, values) == {}
    found, size = await searched(world, values)
    assert size > 1_000_000
    documents = {path: what for path, what in found.items() if path.startswith(world.documents_dir.name)}
    assert {path: what for path, what in found.items() if path not in documents} == {}
    assert hits(caplog.text.encode(), values) == []


async def test_the_search_of_the_disk_would_find_a_clear_value(world: World):
    """The other side: a value that is written in clear is found in the same files."""
    secret = f"{uuid.uuid4()}"
    async with world.database.transaction() as tx:
        await tx.execute("create table careless (said text)")
        await tx.execute("insert into careless values ($1)", secret)
    found, _ = await searched(world, {"said": secret})
    assert any("base" not in each and "wal" in each for each in found), "in the write-ahead log"
    assert len(found) >= 2, "and in the table's file"


async def test_nothing_of_a_replica_or_its_topic_names_a_person(sites: tuple[Site, Site]):
    city, county = sites
    await stocked(city.world)
    sent = await city.speak()
    assert sent
    await county.hear(sent)
    city.wire.cut = county.wire.cut = True
    assert (await county.find(HOLDER))[CITY].licences, "read from the replica"
    values = secrets()
    for site in (city, county):
        assert await in_tables(site.world, values) == {}
        found, _ = await searched(site.world, values)
        assert {each: what for each, what in found.items() if "documents" not in each} == {}
