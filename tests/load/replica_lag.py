"""From an act at one registry to the other's replica: commit, log, signing, bus, mirror, bus, verification, store.

Into an empty replica, one of 100,000 licences and a million; status changes one by one, as an issuer orders them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import date, timedelta

import asyncpg

from standards.identifiers import build_citizen_id
from tests.load.measured import Measured, percentiles
from tests.stacks.registries import CITY, RunningRegistry, two_registries

HELD = (0, 100_000, 1_000_000)
CHANGES = 40
"""Samples of each size."""
GIVE_UP_SECONDS = 60.0
PROMISED_SECONDS = 2.0
AT_A_TIME = 50_000
Note = Callable[[str], None]

_FILL = """
insert into replica_licence (licence_id, registry_id, sequence, ordinal, prior_ordinal, version, type_code,
  issuer_code, county_code, status, act, use_frozen, effective_at, recorded_at, received_at, message_sha256,
  leaf_index, leaf_hash, identifier_key, holder_key, content, mac)
select gen_random_uuid(), $3, 1, 0, 0, 1, '11100000MB0143028R001', '11361103TB1000011X', '361103', 'valid', 'import',
  false, now(), now(), now(), sha256(n::text::bytea), n, sha256(('l' || n)::bytea), sha256(('i' || n)::bytea),
  sha256(('h' || n / 2)::bytea), decode(repeat(md5(n::text), 40), 'hex'), sha256(('m' || n)::bytea)
from generate_series($1::int, $2::int) n
"""
"""Rows of the right sizes; nobody reads what they hold, so it needs no key."""


async def replica_lag(seconds: float, note: Note) -> Measured:
    """Return the 99th percentile in seconds with a million licences in the replica, the others in its detail."""
    del seconds  # so many changes, however long they take
    async with two_registries() as (city, county, _):
        holders = [_citizen(n) for n in range(len(HELD) * CHANGES + 1)]
        licences = await city.import_licences(holders, 1)
        note("first telling")
        await _until_told(county, licences[-1])
        held, lags = 0, {}
        for at, size in enumerate(HELD):
            note(f"filling the replica up to {size:,}")
            await _fill(county, held, size)
            held = max(held, size)
            note(f"{CHANGES} changes, {size:,} licences in the replica")
            lags[size] = [
                await _lag(city, county, each) for each in licences[at * CHANGES : (at + 1) * CHANGES]
            ]
    figures = {size: percentiles(each) for size, each in lags.items()}
    last = figures[HELD[-1]]
    return Measured(
        "replica_lag",
        round(last["p99_ms"] / 1000, 3),
        "s (p99)",
        **last,
        limit_name="promised",
        limit_value=PROMISED_SECONDS,
        rows=HELD[-1],
        detail={
            "changes": CHANGES,
            **{f"{size}": {**figures[size], "max_ms": round(1000 * max(lags[size]), 1)} for size in HELD},
        },
    )


async def _lag(city: RunningRegistry, county: RunningRegistry, licence_id: str) -> float:
    """Return the seconds from the order's answer until a reader of the other's database sees it."""
    connection = await asyncpg.connect(county.dsn)
    try:
        await city.revoke(licence_id)
        began = time.perf_counter()
        while time.perf_counter() - began < GIVE_UP_SECONDS:
            found = await connection.fetchval(
                "select status from replica_licence where licence_id = $1::text::uuid", licence_id
            )
            if found == "revoked":
                return time.perf_counter() - began
            await asyncio.sleep(0.005)
    finally:
        await connection.close()
    raise TimeoutError(f"not in the replica within {GIVE_UP_SECONDS:.0f} s")


async def _until_told(county: RunningRegistry, licence_id: str) -> None:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while await county.replica_of(licence_id) is None:
            await asyncio.sleep(0.05)


async def _fill(county: RunningRegistry, held: int, size: int) -> None:
    connection = await asyncpg.connect(county.dsn)
    try:
        for start in range(held, size, AT_A_TIME):
            await connection.execute(_FILL, start + 1, min(start + AT_A_TIME, size), CITY)
        await connection.execute("analyze replica_licence")
    finally:
        await connection.close()


def _citizen(number: int) -> str:
    return build_citizen_id("361103", date(1960, 1, 1) + timedelta(days=number), 31)
