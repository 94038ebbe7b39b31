"""What the log tells of a licence's history, held against the lines that are there.

A line that was altered betrays itself by its code; one that was taken away only by the leaf that it left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from chassis.fields import ROW_ALTERED
from services.certs.domain.licence import Licence
from services.certs.domain.log import ADOPT, LICENCE, ORDER, STATUS_CHANGE
from services.certs.domain.log.leaf import moment
from services.certs.domain.status import Act

_LEAVES = """
select kind, leaf, leaf_index as place from log_leaf where licence_id = $1 and kind = any($2)
union all
select kind, leaf, 9000000000000000000 + queue_id from log_queue where licence_id = $1 and kind = any($2)
order by place
"""
DISPUTE, _FREEZE, _REACH = "dispute", "freeze", "reach"
_IMPORT, _ERASE = "import", "erase"
_ACTS = frozenset(each.value for each in Act) - {Act.MAKE.value}


async def check_told(
    tx: Transaction,
    licence: Licence,
    changes: Sequence[Any],
    pasts: Sequence[Any],
    orders: Mapping[str, str],
) -> None:
    """Return if every change, past content and order that the log tells of is there, and the licence stands as told.

    ``changes`` and ``pasts`` are rows; ``orders`` say how each stands. The licence's row is held, so that no act
    comes between what was read and its leaves. Raises ROW_ALTERED.
    """
    kinds = [LICENCE, STATUS_CHANGE, ORDER]
    rows = await tx.fetch(_LEAVES, UUID(licence.licence_id), kinds)
    told = [(row["kind"], json.loads(bytes(row["leaf"]))["facts"]) for row in rows]
    states = [facts for kind, facts in told if kind == LICENCE]
    adopted = [facts for kind, facts in told if kind == STATUS_CHANGE]
    if _misses_change([*states, *adopted], changes):
        raise ROW_ALTERED(table="licence_status_change")
    if _misses_past(states, pasts):
        raise ROW_ALTERED(table="licence_past")
    standing = {facts["order_id"]: facts["state"] for kind, facts in told if kind == ORDER}
    if any(orders.get(order_id) != state for order_id, state in standing.items()):
        raise ROW_ALTERED(table="licence_order")
    newest = states[-1] if states else None
    if newest and newest["version"] == licence.version and newest["status"] != licence.status:
        raise ROW_ALTERED(table="licence")


async def steps_told(tx: Transaction, licence_id: str) -> dict[str, set[int]]:
    """Return the steps that the log tells of, by dispute that froze a licence for everybody.

    Asked before the steps are read: one that is taken meanwhile is more than was told.
    """
    rows = await tx.fetch(_LEAVES, UUID(licence_id), [DISPUTE])
    told = [json.loads(bytes(row["leaf"]))["facts"] for row in rows]
    everybodys = [facts for facts in told if facts["consumer"] == ""]
    found: dict[str, set[int]] = {
        facts["dispute_id"]: set() for facts in everybodys if facts["act"] in {_FREEZE, _REACH}
    }
    for facts in everybodys:
        if facts["dispute_id"] in found:
            found[facts["dispute_id"]].add(facts["version"])
    return found


def check_steps(told: Mapping[str, set[int]], held: Mapping[str, Iterable[int]]) -> None:
    """Return if every step that the log tells of is there; versions by dispute. Raises ROW_ALTERED."""
    if any(not versions <= set(held.get(dispute_id, ())) for dispute_id, versions in told.items()):
        raise ROW_ALTERED(table="dispute_step")


def _misses_change(told: Iterable[Mapping[str, Any]], changes: Sequence[Any]) -> bool:
    held = {row["version"]: row for row in changes}
    for facts in told:
        act = facts.get("adopted", facts["act"])
        if act not in _ACTS:
            continue
        row = held.get(facts["version"])
        if row is None or (row["act"], row["status"]) != (act, facts["status"]):
            return True
        effective_at = moment(row["effective_at"])
        if facts.get("effective_at", effective_at) != effective_at:
            return True
    return False


def _misses_past(states: Sequence[Mapping[str, Any]], pasts: Sequence[Any]) -> bool:
    """Say whether a content that an import replaced is gone; an erasure takes them all."""
    acts = [facts["act"] for facts in states]
    if _ERASE in acts:
        return False
    known = ADOPT in acts or _IMPORT in acts[:1]
    later = sum(act == _IMPORT for act in acts) - (_IMPORT in acts[:1])
    return known and later > len(pasts)
