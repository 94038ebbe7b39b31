"""Each ledger is doctored in one row at a time: the difference is found, of its kind, with its id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from chassis.clock import system_clock
from cli.commands.reconcile_seals import compare
from cli.operations.cut import connect
from cli.operations.places import Places
from cli.operations.reconciling import reconcile, window_of
from cli.operations.reconciling.facts import Report
from cli.operations.reconciling.seals import SealReport
from tests.integration.operations.conftest import Drill


@dataclass(frozen=True)
class Doctored:
    """One change to one table, the id it is about, and the kinds of difference it must show as."""

    database: str
    table: str
    picked: str
    change: str
    named: str
    kinds: frozenset[str]


def doctored(database: str, table: str, picked: str, change: str, *kinds: str, named: str = "") -> Doctored:
    return Doctored(database, table, picked, change, named or picked, frozenset(kinds))


MADE = "from licence where origin = 'made' order by licence_id limit 1"
USE = "from seal_use where outcome = 'sealed' order by sequence limit 1"
TOLD = "where split_part(type, '.', 2) = 'PartDecided' order by seq limit 1"
CASES = {
    "a licence is gone": doctored(
        "certs", "licence", f"select licence_id::text {MADE}", "delete from licence where licence_id::text = $1",
        "PART_WITHOUT_LICENCE", "SEAL_USE_WITHOUT_LICENCE",
        named=f"select part_id {MADE}",
    ),
    "a licence comes of nothing": doctored(
        "certs", "licence", f"select licence_id::text {MADE}",
        "update licence set part_id = '01a20000-0000-7000-8000-000000000000' where licence_id::text = $1",
        "LICENCE_WITHOUT_PART", "PART_WITHOUT_LICENCE",
    ),
    "a licence is of another type": doctored(
        "certs", "licence", f"select licence_id::text {MADE}",
        "update licence set type_code = '11100000000013127D001' where licence_id::text = $1",
        "LICENCE_OF_OTHER_KIND",
    ),
    "a licence has another document": doctored(
        "certs", "licence", f"select signature_id {MADE}",
        "update licence set sealed_sha256 = repeat('0', 64) where signature_id = $1",
        "DOCUMENT_OF_LICENCE_DIFFERS", "SEALED_FILE_MISSING",
    ),
    "a licence fell back to waiting": doctored(
        "certs", "licence", f"select licence_id::text {MADE}",
        "update licence set status = 'pending_seal' where licence_id::text = $1",
        "LICENCE_WAITING_FOR_SEAL",
    ),
    "a part lost its approval": doctored(
        "intake", "case_part", "select part_id from case_part where state = 'completed' order by part_id limit 1",
        "update case_part set state = 'rejected' where part_id = $1",
        "LICENCE_WITHOUT_PART",
        named="select licence_id from case_part where state = 'completed' order by part_id limit 1",
    ),
    "a case knows another licence": doctored(
        "intake", "case_part", "select part_id from case_part where state = 'completed' order by part_id limit 1",
        "update case_part set licence_id = null where part_id = $1",
        "LICENCE_NOT_TOLD_TO_CASE",
        named="select licence_id from case_part where state = 'completed' order by part_id limit 1",
    ),
    "a row of the seal ledger is gone": doctored(
        "seal", "seal_use", f"select signature_id::text {USE}", "delete from seal_use where signature_id::text = $1",
        "LICENCE_WITHOUT_SEAL_USE", "DOCUMENT_WITHOUT_SEAL_USE",
    ),
    "a ledger row names another signature": doctored(
        "seal", "seal_use", f"select signature_id::text {USE}",
        "update seal_use set signature_sm3 = repeat('0', 64) where signature_id::text = $1",
        "SIGNATURE_NOT_IN_DOCUMENT",
    ),
    "a sealed document is gone": doctored(
        "seal", "sealed_document", f"select signature_id::text {USE}",
        "delete from sealed_document where signature_id::text = $1",
        "SEAL_USE_WITHOUT_DOCUMENT",
    ),
    "a sealed document was exchanged": doctored(
        "seal", "sealed_document", f"select signature_id::text {USE}",
        "update sealed_document set ofd = (select ofd from sealed_document where signature_id::text <> $1 limit 1)"
        " where signature_id::text = $1",
        "DOCUMENT_NOT_AS_LEDGERED", "SIGNATURE_NOT_IN_DOCUMENT",
    ),
    "a message is gone": doctored(
        "notify", "message",
        "select substr(source_key, 7) from message where channel = 'sms' and source_key like 'event:%' limit 1",
        "delete from message where source_key = 'event:' || $1 and channel = 'sms'",
        "MESSAGE_MISSING_SMS",
    ),
    "a message comes of no event": doctored(
        "notify", "message",
        "select message_id::text from message where channel = 'inbox' and source_key like 'event:%' limit 1",
        "update message set source_key = 'event:01a20000-0000-7000-8000-000000000000' where message_id::text = $1",
        "MESSAGE_WITHOUT_EVENT", "MESSAGE_MISSING_INBOX",
    ),
    "a message was never handed over": doctored(
        "notify", "send_attempt",
        "select a.message_id::text from send_attempt a join message m using (message_id)"
        " where m.source_key like 'event:%' limit 1",
        "delete from send_attempt where message_id::text = $1",
        "MESSAGE_WITHOUT_ATTEMPT",
    ),
    "an inbox forgot an event": doctored(
        "notify", "inbox",
        "select substr(source_key, 7) from message where source_key like 'event:%' order by 1 limit 1",
        "delete from inbox where event_id::text = $1",
        "EVENT_NOT_HEARD_BY_NOTIFY",
    ),
    "an inbox knows an event of nobody": doctored(
        "notify", "inbox", "select '01a20000-0000-7000-8000-00000000beef'::text",
        "insert into inbox (consumer, event_id, at) select 'notify', $1::uuid, max(at) from inbox",
        "EVENT_UNKNOWN_HEARD_BY_NOTIFY",
    ),
    "an outbox lost an event": doctored(
        "intake", "event_log", f"select event_id::text from event_log {TOLD}",
        "delete from event_log where event_id::text = $1",
        "EVENT_UNKNOWN_HEARD_BY_CERTS", "EVENT_UNKNOWN_HEARD_BY_NOTIFY", "MESSAGE_WITHOUT_EVENT",
    ),
}  # fmt: skip


@asynccontextmanager
async def changed(places: Places, case: Doctored) -> AsyncIterator[str]:
    """Doctor a table for the block; yield the id that must be named."""
    connection = await connect(places.server_dsn, case.database)
    try:
        await connection.execute(
            "set session_replication_role = replica"
        )  # append-only means nothing to a culprit
        named = await connection.fetchval(case.named)
        picked = await connection.fetchval(case.picked)
        await connection.execute(f"create temporary table kept as table {case.table}")
        await connection.execute(case.change, picked)
        yield str(named)
        kept = f"delete from {case.table}; insert into {case.table} overriding system value table kept"
        await connection.execute(kept)
    finally:
        await connection.close()


async def look(places: Places, drill: Drill) -> Report:
    day = await decided_on(places)
    keys = drill.layout.secrets("seal") / "field_keys.json"
    return await reconcile(places, day, system_clock(), timedelta(0), keys)


async def decided_on(places: Places) -> date:
    connection = await connect(places.server_dsn, "intake")
    try:
        found: date = await connection.fetchval(
            "select (min(decided_at) at time zone 'Asia/Shanghai')::date from case_part"
        )
        return found
    finally:
        await connection.close()


def test_untouched_ledgers_agree(restored: Places, drill: Drill) -> None:
    report = asyncio.run(look(restored, drill))
    assert report.differences == ()
    assert all(line.equal for line in report.lines)
    assert report.opened_documents == 6


@pytest.mark.parametrize("what", CASES)
def test_a_doctored_row_is_found_and_named(restored: Places, drill: Drill, what: str) -> None:
    case = CASES[what]

    async def doctor() -> tuple[str, Report]:
        async with changed(restored, case) as named:
            return named, await look(restored, drill)

    named, report = asyncio.run(doctor())
    found = {each.kind: each.ids for each in report.differences}
    assert found.keys() >= case.kinds, found
    assert any(named in ids for ids in found.values()), (named, found)
    assert asyncio.run(look(restored, drill)).differences == ()


def test_what_is_younger_than_the_settle_time_is_not_judged(restored: Places, drill: Drill) -> None:
    async def doctor() -> Report:
        async with changed(restored, CASES["a licence is gone"]):
            keys = drill.layout.secrets("seal") / "field_keys.json"
            day = await decided_on(restored)
            return await reconcile(restored, day, system_clock(), timedelta(days=2), keys)

    assert asyncio.run(doctor()).differences == ()


def test_a_day_is_a_day_in_china() -> None:
    now = system_clock()
    window = window_of(date(2026, 3, 5), now, timedelta(0))
    assert window.start.isoformat() == "2026-03-04T16:00:00+00:00"


def test_the_ledger_of_seals_agrees_with_the_licence_store_and_a_lost_row_is_named(
    restored: Places, drill: Drill
) -> None:
    keys = {service: drill.layout.secrets(service) / "field_keys.json" for service in ("seal", "certs")}

    async def look_at_seals() -> SealReport:
        return await compare(restored, keys, timedelta(0), quiet=True)

    async def doctor() -> tuple[str, SealReport]:
        async with changed(restored, CASES["a row of the seal ledger is gone"]) as named:
            return named, await look_at_seals()

    report = asyncio.run(look_at_seals())
    assert (report.discrepancies, report.rows, report.licences) == ([], 12, 6), "an OFD and a PDF of each"
    named, report = asyncio.run(doctor())
    found = {each.kind: each.named for each in report.discrepancies}
    assert found.keys() == {"DOCUMENT_WITHOUT_ROW", "LICENCE_WITHOUT_ROW", "SIGNATURE_WITHOUT_ROW"}
    assert found["DOCUMENT_WITHOUT_ROW"] == named
