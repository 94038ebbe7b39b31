"""The registry's ports in memory, as far as the life of licences goes; a refused call leaves no trace."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from chassis.errors import ETAG_MISMATCH
from chassis.event import Event
from services.certs.domain.importing.codes import lineage_key
from services.certs.domain.licence import Licence
from services.certs.domain.life.history import FIRST, Line, compose
from services.certs.domain.life.order import STATUS_ASKED, LicenceOrder, OrderState
from services.certs.domain.life.succession import Link
from services.certs.domain.log import Leaf
from services.certs.domain.pdf.companion import LicencePdf
from services.certs.domain.status import StatusChange
from services.certs.usecases.life.ports import Life
from services.certs.usecases.ports import Registry


@dataclass
class Kept:
    licences: dict[str, Licence] = field(default_factory=dict)
    entered: dict[str, datetime] = field(default_factory=dict)
    changes: dict[str, list[Line]] = field(default_factory=dict)
    orders: dict[str, LicenceOrder] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    events: list[tuple[Event, int]] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)
    pdfs: dict[str, LicencePdf] = field(default_factory=dict)


class InMemory:
    """One shared store; `registry` is what use cases get."""

    def __init__(self) -> None:
        self.kept, self.now = Kept(), datetime.min

    def registry(self) -> Registry:
        nobody: Any = None
        this: Any = self
        return Registry(
            licences=this,
            imports=nobody,
            sources=this,
            use_codes=nobody,
            usages=nobody,
            presentations=nobody,
            publish=self.publish,
            log=this,
            evidence=nobody,
            **dict.fromkeys(_others(), nobody),
            life=Life(Orders(self), Links(self), nobody, nobody, Pdfs(self)),  # type: ignore[arg-type]
        )

    @contextmanager
    def transaction(self, now: datetime):
        before, self.now = copy.deepcopy(self.kept), now
        try:
            yield self.registry()
        except BaseException:
            self.kept = before
            raise

    def publish(self, event: Event, version: int) -> None:
        assert (event.aggregate_id, version) not in {(e.aggregate_id, v) for e, v in self.kept.events}
        self.kept.events.append((event, version))

    async def note_arrivals(self, source_id: str, found: object) -> None:
        del source_id, found

    async def append(self, leaf: Leaf) -> None:
        self.kept.leaves.append(leaf)

    async def put(self, data: bytes) -> str:
        key = hashlib.sha256(data).hexdigest()
        self.kept.documents[key] = data
        return key

    async def get(self, licence_id: str) -> Licence | None:
        return self.kept.licences.get(licence_id)

    lock = get

    async def get_each(self, licence_ids: Sequence[str]) -> list[Licence]:
        return [self.kept.licences[each] for each in licence_ids if each in self.kept.licences]

    async def add(self, licence: Licence) -> Licence:
        assert licence.identifier not in {each.identifier for each in self.kept.licences.values()}
        licence = replace(licence, lineage_id=lineage_key(licence.identifier))
        self.kept.licences[licence.licence_id] = licence
        self.kept.entered[licence.licence_id] = self.now
        self.kept.changes[licence.licence_id] = []
        return licence

    async def save_state(self, licence: Licence) -> None:
        if self.kept.licences[licence.licence_id].version != licence.version - 1:
            raise ETAG_MISMATCH()
        self.kept.licences[licence.licence_id] = licence

    async def add_change(self, licence: Licence, change: StatusChange, changed_by: str) -> None:
        line = Line(
            licence.version,
            change.previous,
            change.status,
            change.act,
            change.effective_at,
            self.now,
            None,
            change.reason,
            change.basis_document,
            change.operator,
            "",
            changed_by,
        )
        self.kept.changes[licence.licence_id].append(line)

    async def claim_over(self, today: date, limit: int) -> list[Licence]:
        over = [
            each
            for each in self.kept.licences.values()
            if each.status in {"valid", "suspended"} and each.valid_until and each.valid_until < today
        ]
        return over[:limit]


@dataclass
class Pdfs:
    store: InMemory

    async def add(self, pdf: LicencePdf) -> None:
        self.store.kept.pdfs.setdefault(pdf.licence_id, pdf)


@dataclass
class Orders:
    store: InMemory

    async def add(self, order: LicenceOrder) -> None:
        assert order.order_id not in self.store.kept.orders
        self.store.kept.orders[order.order_id] = order

    async def save(self, order: LicenceOrder) -> None:
        self.store.kept.orders[order.order_id] = order

    async def lock(self, order_id: str) -> LicenceOrder | None:
        return self.store.kept.orders.get(order_id)

    async def waiting(self, licence_id: str) -> list[LicenceOrder]:
        found = [
            each
            for each in self.store.kept.orders.values()
            if each.licence_id == licence_id and each.state is OrderState.WAITING and each.act in STATUS_ASKED
        ]
        return sorted(found, key=lambda each: (each.effective_at, each.ordered_at, each.order_id))

    async def due_licences(self, now: datetime, limit: int) -> list[str]:
        due = [
            each.licence_id
            for each in self.store.kept.orders.values()
            if each.state is OrderState.WAITING and each.act in STATUS_ASKED and each.effective_at <= now
        ]
        return sorted(set(due))[:limit]

    async def history(self, licence: Licence) -> tuple[Line, ...]:
        kept = self.store.kept
        at = kept.entered[licence.licence_id]
        entered = Line(0, None, licence.status, FIRST, at, at)
        orders = [each for each in kept.orders.values() if each.licence_id == licence.licence_id]
        return compose(entered, kept.changes[licence.licence_id], [], orders)


@dataclass
class Links:
    store: InMemory

    async def add(self, link: Link) -> None:
        assert link.licence_id not in self.store.kept.links
        self.store.kept.links[link.licence_id] = link

    async def save(self, link: Link) -> None:
        self.store.kept.links[link.licence_id] = link

    async def of(self, licence_id: str) -> Link | None:
        return self.store.kept.links.get(licence_id)

    async def under(self, parent_id: str) -> list[Link]:
        return [each for each in self.store.kept.links.values() if each.parent_id == parent_id]

    async def newest_version(self, lineage_id: str) -> int:
        found = [each for each in self.store.kept.licences.values() if each.lineage_id == lineage_id]
        return max((each.serial_version for each in found), default=0)

    async def add_co_holders(self, licence: Licence) -> None:
        del licence


def _others() -> Sequence[str]:
    """Return the registry's further parts, which play no part here."""
    known = {"licences", "imports", "sources", "use_codes", "usages", "presentations", "publish", "log"}
    return [name for name in Registry.__dataclass_fields__ if name not in known | {"evidence", "life"}]
