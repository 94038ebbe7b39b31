"""Gauges of sealing, read from the tables."""

from __future__ import annotations

from chassis.db import Transaction
from chassis.telemetry import gauge

DAY_SECONDS = 86_400.0
SELF_TEST = gauge("seal_self_test", "Whether the cryptography proved itself at the start, 1 or 0")
LIST_DAYS_LEFT = gauge(
    "seal_list_days_left",
    "Days until the first of the newest signed lists ends, by kind: crl, companion or status",
    ["kind"],
)
SEAL_DAYS_LEFT = gauge("seal_days_left", "Days until the first seal in use ends", known=False)
LEDGER_ROWS = gauge("seal_ledger_rows", "Rows of the ledger of seal uses; it only grows")
WAITING = gauge("seal_waiting", "Licences whose last sealing was refused")
WAITING_OLDEST_SECONDS = gauge("seal_waiting_oldest_seconds", "Age of the oldest refusal that nothing cured")
LEDGER_UNSTAMPED_OLDEST_SECONDS = gauge(
    "seal_ledger_unstamped_oldest_seconds",
    "Age of the oldest use that no time stamp covers; beyond the limit no seal is used",
)

_LISTS = """
select kind, min(next_update) as ends_at from (
  select distinct on (issuer, kind) kind, next_update from signed_list order by issuer, kind, number desc) newest
group by kind
"""
_WAITING = """
select count(*) as licences, min(used_at) as oldest from seal_use u where outcome <> 'sealed'
and licence_id is not null and not exists (select from seal_use l where l.licence_id = u.licence_id and l.sequence > u.sequence)
"""


async def measure(tx: Transaction) -> None:
    """Set the gauges of lists, seals, ledger and waiting licences."""
    now = tx.now()
    for row in await tx.fetch(_LISTS):
        LIST_DAYS_LEFT.labels(row["kind"]).set((row["ends_at"] - now).total_seconds() / DAY_SECONDS)
    ends_at = await tx.fetchval("select min(valid_until) from seal where status = 'active'")
    if ends_at is not None:
        SEAL_DAYS_LEFT.set((ends_at - now).total_seconds() / DAY_SECONDS)
    LEDGER_ROWS.set(await tx.fetchval("select sequence from ledger_head"))
    waiting = await tx.fetchrow(_WAITING)
    assert waiting is not None
    WAITING.set(waiting["licences"])
    oldest = waiting["oldest"]
    WAITING_OLDEST_SECONDS.set((now - oldest).total_seconds() if oldest else 0)
