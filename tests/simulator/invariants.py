"""What must hold when a run has come to rest. Each returns the sentences that say what does not."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from tests.simulator.bus import SimBus
from tests.simulator.database.engine import Row, Server


def outbox_in_order(server: Server) -> Iterator[str]:
    """Versions of an aggregate have no hole and rise with the order of sending; everything was sent."""
    versions: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in sorted(server.tables["event_log"].values(), key=lambda row: row["seq"]):
        versions[row["topic"], row["aggregate_id"]].append(row["version"])
        if row["published_at"] is None:
            yield f"{server.name}: {row['type']} {row['aggregate_id']} v{row['version']} was never sent"
    for place, found in versions.items():
        if any(later <= earlier for earlier, later in pairwise(found)):
            yield f"{server.name}: {place} has versions {found}"


def told_the_truth(server: Server, committed: set[str], rolled_back: set[str]) -> Iterator[str]:
    """What was told committed is there, what was rolled back is not."""
    kept = {json.loads(row["payload"])["part_id"] for row in server.tables["event_log"].values()}
    yield from (f"{nonce} was told committed and is lost" for nonce in sorted(committed - kept))
    yield from (f"{nonce} was rolled back and left its event" for nonce in sorted(rolled_back & kept))


def bus_in_order(bus: SimBus, strangers: Iterable[str] = ()) -> Iterator[str]:
    """The first occurrences of an aggregate's events are in the order of their versions."""
    last: dict[tuple[str, bytes | None], int] = {}
    seen: set[bytes | None] = {each.encode() for each in strangers}
    for part in sorted(bus.log):
        for stored in bus.log[part]:
            headers = dict(stored.record.headers)
            event_id, version = headers.get("ce_id"), headers.get("ce_aggregateversion")
            if (
                event_id is None
                or version is None
                or event_id in seen
                or b"stranger" in (headers["ce_source"] or b"")
            ):
                continue
            seen.add(event_id)
            place = (part[0], stored.record.key)
            if int(version) <= last.get(place, 0):
                yield f"{place} v{int(version)} was sent after v{last[place]}"
            last[place] = int(version)


def each_event_once(
    producers: Iterable[Server], consumer: Server, types: Iterable[str], *, name: str
) -> Iterator[str]:
    """Every event of these types had its effect once, in the order of its aggregate; nothing else had any."""
    wanted = {
        row["event_id"]: row
        for server in producers
        for row in server.tables["event_log"].values()
        if row["type"] in set(types)
    }
    effects = list(consumer.tables["effects"].values())
    counts = Counter(row["event_id"] for row in effects)
    for event_id, row in wanted.items():
        if counts[event_id] != 1:
            what = f"{row['type']} {row['aggregate_id']} v{row['version']}"
            yield f"{name}: {what} had {counts[event_id]} effects"
    yield from (
        f"{name}: an effect of {event_id}, which no outbox has" for event_id in counts.keys() - wanted.keys()
    )
    yield from _rising(name, effects)


def _rising(name: str, effects: list[Row]) -> Iterator[str]:
    last: dict[tuple[str, str], int] = {}
    for row in effects:
        place = (row["type"].partition(".")[0], row["key"])
        if row["version"] <= last.get(place, 0):
            yield f"{name}: {place} v{row['version']} was applied after v{last[place]}"
        last[place] = row["version"]


def parked_with_cause(server: Server, guilty: Any) -> Iterator[str]:
    """Nothing waits any more; who was parked had a cause of its own or stood behind one that had."""
    if server.tables["parked_key"]:
        yield f"{server.name}: keys are parked for ever: {sorted(server.tables['parked_key'])}"
    for row in server.tables["dead_letter"].values():
        if row["state"] == "parked":
            yield f"{server.name}: dead letter {row['dead_letter_id']} still waits"
        if not row["cause"]:
            yield f"{server.name}: dead letter {row['dead_letter_id']} has no cause"
        elif row["cause"] != "BEHIND_PARKED_EVENT" and not guilty(row):
            yield f"{server.name}: {row['type']} {row['key']} was parked for {row['cause']}"
