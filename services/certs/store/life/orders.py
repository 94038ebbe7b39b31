"""Orders of issuers, and the history that they and the recorded acts make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.licence import Licence, Origin
from services.certs.domain.life.history import FIRST, Line, PastStatus, compose, day_start
from services.certs.domain.life.order import Decision, LicenceOrder, OrderedAct, OrderState
from services.certs.domain.log.leaf import moment
from services.certs.domain.log.leaves import order_leaf
from services.certs.domain.status import LicenceStatus
from services.certs.store.coded import LICENCE_ORDER, STATUS_CHANGE
from services.certs.store.licences import as_uuid
from services.certs.store.log import LogQueue
from services.certs.store.sealing import Vault
from services.certs.store.told import check_told
from services.certs.usecases.life.ports import Place

_STATUS_ACTS = "act in ('suspend', 'restore', 'cancel', 'revoke', 'forfeit')"
_READ = f"select {LICENCE_ORDER.names} from licence_order"  # noqa: S608 - constants
_INSERT = f"""insert into licence_order ({LICENCE_ORDER.names})
 values ({", ".join(f"${n}" for n in range(1, 17))})"""  # noqa: S608 - constants
_SAVE = """
update licence_order set state = $2, settled_at = $3, settled_version = $4, cause = $5, result_id = $6, mac = $7
where order_id = $1
"""
_DUE = f"""
select licence_id from licence_order where state = 'waiting' and {_STATUS_ACTS} and effective_at <= $1
group by licence_id order by min(effective_at), licence_id limit $2
"""  # noqa: S608 - constants
_WAITING = f"""{_READ} where licence_id = $1 and state = 'waiting' and {_STATUS_ACTS}
order by effective_at, ordered_at, order_id for update"""
_PAGE = f"{_READ} where licence_id = $1 and (ordered_at, order_id) < ($2, $3) order by ordered_at desc, order_id desc limit $4"
_CHANGES = f"select {STATUS_CHANGE.names} from licence_status_change where licence_id = $1 order by version"  # noqa: S608
_END = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=(1 << 128) - 1))


class OrderStore:
    """The orders of one open transaction; implements the port Orders."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault, self._log = tx, vault, LogQueue(tx)

    async def add(self, order: LicenceOrder) -> None:
        """Store a new order, and say so in the log."""
        row = self._vault.coded(LICENCE_ORDER, _values(order))
        await self._tx.execute(_INSERT, *row)
        await self._say(order, row)

    async def save(self, order: LicenceOrder) -> None:
        """Store what became of an order, under its new code, and say so in the log."""
        row = self._vault.coded(LICENCE_ORDER, _values(order))
        await self._tx.execute(_SAVE, row[0], *row[10:])
        await self._say(order, row)

    async def lock(self, order_id: str) -> LicenceOrder | None:
        """Return an order and hold its row. Raises ROW_ALTERED."""
        key = as_uuid(order_id)
        row = await self._tx.fetchrow(f"{_READ} where order_id = $1 for update", key) if key else None
        return self._order(row) if row else None

    async def waiting(self, licence_id: str) -> list[LicenceOrder]:
        """Return the waiting orders of status acts, held, earliest first. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(_WAITING, UUID(licence_id))
        return [self._order(row) for row in rows]

    async def due_licences(self, now: datetime, limit: int) -> list[str]:
        """Return licences with an order whose time has come."""
        return [str(row["licence_id"]) for row in await self._tx.fetch(_DUE, now, limit)]

    async def of_licence(self, licence_id: str, before: Place | None, limit: int) -> list[LicenceOrder]:
        """Return the orders about a licence, newest first. Raises ROW_ALTERED."""
        at, order_id = (before[0], UUID(before[1])) if before else _END
        key = as_uuid(licence_id)
        rows = await self._tx.fetch(_PAGE, key, at, order_id, limit) if key else []
        return [self._order(row) for row in rows]

    async def history(self, licence: Licence) -> tuple[Line, ...]:
        """Return the whole history of a licence's status, as the log bears it out.

        Raises ROW_ALTERED, also where the log tells of a line or an order that is not there any more.
        """
        key = UUID(licence.licence_id)
        await self._tx.execute("select from licence where licence_id = $1 for share", key)
        rows = await self._tx.fetch(_CHANGES, key)
        for row in rows:
            self._vault.check_row(STATUS_CHANGE, row)
        pasts = await self._tx.fetch(
            "select version, status, replaced_at from licence_past where licence_id = $1 order by version",
            key,
        )
        orders = [self._order(row) for row in await self._tx.fetch(f"{_READ} where licence_id = $1", key)]
        orders_said = {str(each.order_id): each.state.value for each in orders}
        await check_told(self._tx, licence, rows, pasts, orders_said)
        entered_at = await self._tx.fetchval("select created_at from licence where licence_id = $1", key)
        return compose(
            _entered(licence, entered_at),
            [_line(row) for row in rows],
            [PastStatus(row["version"], LicenceStatus(row["status"]), row["replaced_at"]) for row in pasts],
            orders,
        )

    async def _say(self, order: LicenceOrder, row: Sequence[object]) -> None:
        mac = row[-1]
        assert isinstance(mac, bytes)
        facts = {
            "act": order.act.value,
            "effective_at": moment(order.effective_at),
            "mac": mac.hex(),
            "order_id": order.order_id,
            "state": order.state.value,
        }
        await self._log.append(order_leaf(order.licence_id, facts, self._tx.now()))

    def _order(self, row: Any) -> LicenceOrder:
        self._vault.check_row(LICENCE_ORDER, row)
        return LicenceOrder(
            str(row["order_id"]),
            str(row["licence_id"]),
            OrderedAct(row["act"]),
            Decision(row["reason"], row["basis_document"], row["operator"], row["second_person"]),
            row["effective_at"],
            row["ordered_at"],
            row["ordered_by"],
            OrderState(row["state"]),
            row["settled_at"],
            row["settled_version"],
            row["cause"],
            str(row["result_id"]) if row["result_id"] else "",
        )


def _values(order: LicenceOrder) -> tuple[object, ...]:
    said = order.decision
    return (
        UUID(order.order_id),
        UUID(order.licence_id),
        order.act,
        said.reason,
        said.basis_document,
        said.operator,
        said.second_person,
        order.effective_at,
        order.ordered_at,
        order.ordered_by,
        order.state,
        order.settled_at,
        order.settled_version,
        order.cause,
        UUID(order.result_id) if order.result_id else None,
    )


def _entered(licence: Licence, at: datetime) -> Line:
    """Return a history's first line: an imported licence counts from its first day, one made here from its row."""
    first = licence.valid_from or licence.issued_date
    effective_at = min(day_start(first), at) if licence.origin is Origin.IMPORTED else at
    return Line(0, None, licence.status, FIRST, effective_at, at)


def _line(row: Any) -> Line:
    return Line(
        row["version"],
        LicenceStatus(row["previous"]),
        LicenceStatus(row["status"]),
        row["act"],
        row["effective_at"],
        row["changed_at"],
        None,
        row["reason"],
        row["basis_document"],
        row["operator"],
        "",
        row["changed_by"],
    )
