"""Reads one day out of the four databases; changes nothing, locks nothing."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from chassis.retention import Retention
from cli.local.layout import SERVICES
from cli.operations.cut import connect
from cli.operations.places import Places
from cli.operations.reconciling.facts import (
    ApprovedPart,
    Day,
    MadeLicence,
    Published,
    SealUse,
    StoredDocument,
    StoredMessage,
    Window,
)
from cli.operations.tables import Connection

TOLD = frozenset(
    {
        "CaseSubmitted",
        "SupplementRequested",
        "PartAccepted",
        "PartRefused",
        "PartDecided",
        "PartCompleted",
        "CaseClosed",
        "RectificationOpened",
    }
)
"""What notify tells; PartCompleted only where a licence came of it."""
_CONSUMES = re.compile(r"^Consumes:(.*?)(?=^\w+:|\Z)", re.MULTILINE | re.DOTALL)
_PARTS = """
select p.part_id, p.state, p.licence_id, item ->> 'county_code' as county,
  item -> 'product' ->> 'licence_type' as type_code, p.decided_at
from case_part p join service_case c using (case_id) join case_plan pl using (plan_digest)
cross join lateral (select pl.plan -> 'items' -> p.position::int as item) i
where p.state in ('approved', 'completed') and item -> 'product' ->> 'licence_type' is not null and
"""
_LICENCES = """
select licence_id::text, part_id, county_code as county, type_code, status, sealed_sha256, signature_id
from licence where origin = 'made' and (part_id = any($1) or (created_at >= $2 and created_at < $3))
"""
_USES = """
select licence_id, signature_id::text, document_sm3, signature_sm3 from seal_use
where outcome = 'sealed' and licence_id is not null and (licence_id = any($1) or (used_at >= $2 and used_at < $3))
"""
_DOCUMENTS = """
select signature_id::text, sha256, case when $4 then ofd end as ofd from sealed_document d
where signature_id = any($1::uuid[]) or (signed_at >= $2 and signed_at < $3 and not exists (
  select from seal_use u where u.signature_id = d.signature_id and u.outcome = 'sealed' and u.licence_id is null))
"""
_EVENTS = """
select event_id::text, split_part(type, '.', 2) as name, convert_from(payload, 'UTF8')::jsonb as body
from event_log where created_at >= $1 and created_at < $2
"""
_MESSAGES = """
select m.message_id::text, substr(m.source_key, 7) as event_id, m.channel, m.state,
  (select count(*) from send_attempt a where a.message_id = m.message_id and a.outcome = 'taken') as taken
from message m where m.source_key = any($1) or (m.source_key like 'event:%' and m.created_at >= $2
  and m.created_at < $3)
"""
_CHUNK = 20_000


async def read_day(places: Places, window: Window, now: datetime, seal_keys: Path | None) -> Day:
    """Return what the databases say. Raises PEER_UNAVAILABLE, KEYRING_MALFORMED."""
    day = Day(window, consumed={service: consumed_events(service) for service in SERVICES})
    day.retained = window.start > now - timedelta(seconds=Retention().event_log_seconds)
    async with AsyncExitStack() as opened:
        to: dict[str, Connection] = {}
        for service in SERVICES:
            to[service] = await connect(places.server_dsn, service)
            opened.push_async_callback(to[service].close)
            await to[service].execute("set default_transaction_read_only = on")
        await _licences(day, to, places.stores["certs/documents"])
        await _seals(day, to, seal_keys)
        await _events(day, to)
        await _messages(day, to["notify"])
        await _inboxes(day, to)
    return day


def consumed_events(service: str) -> frozenset[str]:
    """Return the names of the events that a service's card says it consumes."""
    found = find_spec(f"services.{service}")
    if found is None or found.origin is None:
        return frozenset()
    card = ast.get_docstring(ast.parse(Path(found.origin).read_text(encoding="utf-8"))) or ""
    match = _CONSUMES.search(card)
    return frozenset(re.findall(r"\w+", match.group(1)) if match else ())


async def _licences(day: Day, to: dict[str, Connection], documents: Path) -> None:
    window = day.window
    rows = await to["intake"].fetch(
        f"{_PARTS} p.decided_at >= $1 and p.decided_at < $2", window.start, window.until
    )
    day.parts = {row["part_id"]: _part(row) for row in rows}
    made = await to["certs"].fetch(_LICENCES, list(day.parts), window.start, window.until)
    day.licences = [MadeLicence(**dict(row), has_file=_has(documents, row["sealed_sha256"])) for row in made]
    strangers = [each.part_id for each in day.licences if each.part_id not in day.parts]
    known = await to["intake"].fetch(f"{_PARTS} p.part_id = any($1)", strangers)
    day.other_parts = {row["part_id"] for row in known}


def _part(row: Any) -> ApprovedPart:
    return ApprovedPart(
        row["part_id"], row["county"] or "", row["type_code"], row["state"], row["licence_id"]
    )


def _has(root: Path, key: str) -> bool:
    return bool(key) and (root / key[-2:] / key[-4:-2] / key).is_file()


async def _seals(day: Day, to: dict[str, Connection], seal_keys: Path | None) -> None:
    window, seal = day.window, to["seal"]
    ids = [each.licence_id for each in day.licences]
    rows = await seal.fetch(_USES, ids, window.start, window.until)
    day.uses = [SealUse(**dict(row)) for row in rows]
    known = await to["certs"].fetch(
        "select licence_id::text from licence where licence_id::text = any($1)",
        [each.licence_id for each in day.uses],
    )
    day.licences_of_uses = {row["licence_id"] for row in known}
    opener = None
    if seal_keys is not None:
        from services.seal.app.documents import StoredDocuments  # noqa: PLC0415 - loads cryptography

        opener = StoredDocuments(seal_keys)
    wanted = [each.signature_id for each in day.uses]
    async with seal.transaction(readonly=True):
        async for row in seal.cursor(_DOCUMENTS, wanted, window.start, window.until, opener is not None):
            digests = opener.digests(row["ofd"]) if opener else None
            day.documents[row["signature_id"]] = StoredDocument(
                row["signature_id"],
                row["sha256"],
                opener is not None,
                digests.sha256 if digests else "",
                digests.sm3 if digests else "",
                digests.signatures_sm3 if digests else (),
            )


async def _events(day: Day, to: dict[str, Connection]) -> None:
    window, persons = day.window, set[str]()
    told: dict[str, tuple[str, str]] = {}
    for service in SERVICES:
        for row in await to[service].fetch(_EVENTS, window.start, window.until):
            name, body = row["name"], json.loads(row["body"])
            tells = service == "intake" and name in TOLD
            if name == "PartCompleted" and not body.get("licence_name"):
                tells = False
            if tells:
                told[row["event_id"]] = name, body["person_id"]
                persons.add(body["person_id"])
            day.events[row["event_id"]] = Published(row["event_id"], name, tells, has_phone=False)
    natural = await to["intake"].fetch(
        "select person_id from person where kind = 'natural' and person_id = any($1)", list(persons)
    )
    reachable = {row["person_id"] for row in natural}
    for event_id, (name, person_id) in told.items():
        day.events[event_id] = Published(event_id, name, told=True, has_phone=person_id in reachable)


async def _messages(day: Day, notify: Connection) -> None:
    keys = [f"event:{each.event_id}" for each in day.events.values() if each.told]
    rows = await notify.fetch(_MESSAGES, keys, day.window.start, day.window.until)
    day.messages = [StoredMessage(*row) for row in rows]


async def _inboxes(day: Day, to: dict[str, Connection]) -> None:
    named = {each.event_id for each in day.messages}
    for service in SERVICES:
        wanted = [each.event_id for each in day.events.values() if each.name in day.consumed[service]]
        rows = await to[service].fetch(
            "select event_id::text from inbox where consumer = $1 and event_id = any($2::uuid[])",
            service,
            wanted,
        )
        day.heard[service] = {row["event_id"] for row in rows}
        then = await to[service].fetch(
            "select event_id::text from inbox where consumer = $1 and at >= $2 and at < $3",
            service,
            day.window.start,
            day.window.until,
        )
        day.heard_then[service] = {row["event_id"] for row in then}
        named |= day.heard_then[service]
    for service in SERVICES:
        day.kept_events |= await _kept(to[service], named)


async def _kept(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Return which ids an outbox has."""
    found: set[str] = set()
    ordered = sorted(ids)
    for first in range(0, len(ordered), _CHUNK):
        rows = await connection.fetch(
            "select event_id::text from event_log where event_id = any($1::uuid[])",
            ordered[first : first + _CHUNK],
        )
        found |= {row["event_id"] for row in rows}
    return found
