"""Whatever issuers order and time brings: one version in force, no fallen licence back, a history that replays."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import uuid
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from chassis.clock import china_day
from chassis.errors import Fault
from services.certs.app import read_catalogue
from services.certs.domain.holder import Holder
from services.certs.domain.issuing import IssueData, make
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.life.history import replay, state_at
from services.certs.domain.life.order import STATUS_ASKED, Decision, OrderedAct
from services.certs.domain.life.succession import Amendment
from services.certs.domain.status import LicenceStatus as S
from services.certs.usecases.change_status import expire_licences
from services.certs.usecases.life.copies import make_copy
from services.certs.usecases.life.making import Wish
from services.certs.usecases.life.order_act import order_act, withdraw_order
from services.certs.usecases.life.renew import change_licence, renew_licence
from services.certs.usecases.life.standing import settle_licence
from services.certs.usecases.make import SealedDocument, put_in_force
from tests.unit.certs.conftest import FOOD, MARKET
from tests.unit.certs.life.registry_in_memory import InMemory

BEGAN = datetime(2026, 3, 9, 2, tzinfo=UTC)
DECISION = Decision("监督检查", "决定书", "甲", "乙")
TYPES = read_catalogue(Path(__file__).parents[4] / "catalogue")[0]
KIND = replace(TYPES[FOOD], copies_allowed=3)
BOOK = LicenceTypes([KIND])
FELL = {S.REPLACED, S.CANCELLED, S.REVOKED, S.FORFEITED}
names = itertools.count()


class Life(RuleBasedStateMachine):
    """One licence, its versions and copies, in the hands of the real use cases."""

    licences = Bundle("licences")
    orders = Bundle("orders")

    @initialize(target=licences)
    def begin(self) -> str:
        self.store, self.now = InMemory(), BEGAN
        self.seen: dict[str, list[S]] = defaultdict(list)
        licence_id = str(uuid.uuid4())
        data = IssueData(
            case_id="case-1",
            part_id="part-1",
            item_code="item-1",
            type_code=FOOD,
            county_code="361103",
            issuer_code=MARKET,
            issuer_name="上饶市广丰区市场监督管理局",
            holder=Holder("111", "11010519491231002X", "丰小玉"),
            face={"KZ_JYZMC": "丰小玉餐饮店"},
            validity_years=1,
            decided_at=BEGAN,
        )
        self._do(lambda registry: registry.licences.add(make(licence_id, data, KIND, 7)))
        self._seal(licence_id)
        return licence_id

    @rule(days=st.integers(0, 60))
    def time_goes_by(self, days: int) -> None:
        self.now += timedelta(days=days, seconds=1)

    @rule(licence_id=licences)
    def be_sealed(self, licence_id: str) -> None:
        self._seal(licence_id)

    @rule(target=licences, licence_id=licences, seals=st.booleans())
    def follow(self, licence_id: str, seals: bool):
        """Change whatever version of the licence is in force, mostly sealed at once."""
        newest = [each.licence_id for each in self.store.kept.licences.values() if each.status is S.VALID]
        made = self._do(
            lambda r: change_licence(
                r,
                self.store,  # type: ignore[arg-type]
                BOOK,
                self._wish(newest[-1] if newest else licence_id),
                Amendment({"KZ_JYZMC": f"丰小玉餐饮店{next(names)}"}),
                new_id,
                self.now,
            )
        )
        if made is None:
            return multiple()
        if seals:
            self._seal(made[0].licence.licence_id)
        return made[0].licence.licence_id

    @rule(target=licences, licence_id=licences)
    def change(self, licence_id: str):
        amendment = Amendment({"KZ_JYZMC": f"丰小玉餐饮店{next(names)}"})
        made = self._do(
            lambda r: change_licence(r, self.store, BOOK, self._wish(licence_id), amendment, new_id, self.now)  # type: ignore[arg-type]
        )
        return made[0].licence.licence_id if made else multiple()

    @rule(target=licences, licence_id=licences, years=st.integers(1, 3))
    def renew(self, licence_id: str, years: int):
        made = self._do(
            lambda r: renew_licence(r, self.store, BOOK, self._wish(licence_id), years, new_id, self.now)  # type: ignore[arg-type]
        )
        return made[0].licence.licence_id if made else multiple()

    @rule(target=licences, licence_id=licences)
    def make_a_copy(self, licence_id: str):
        made = self._do(
            lambda r: make_copy(r, self.store, BOOK, self._wish(licence_id), new_id, self.now)  # type: ignore[arg-type]
        )
        return made[0].licence.licence_id if made else multiple()

    @rule(
        target=orders,
        licence_id=licences,
        act=st.sampled_from(list(STATUS_ASKED)),
        days=st.integers(-60, 200),
    )
    def be_ordered(self, licence_id: str, act: OrderedAct, days: int):
        moment = self.now + timedelta(days=days)
        done = self._do(lambda r: order_act(r, BOOK, self._wish(licence_id), act, moment, new_id, self.now))
        return done[1].order_id if done else multiple()

    @rule(
        target=orders,
        act=st.sampled_from([OrderedAct.SUSPEND, OrderedAct.RESTORE, OrderedAct.CANCEL, OrderedAct.REVOKE]),
        days=st.sampled_from([0, 0, -3, 5]),
        at=st.integers(0, 3),
    )
    def the_living_be_ordered(self, act: OrderedAct, days: int, at: int):
        living = [e for e in self.store.kept.licences.values() if e.status in {S.VALID, S.SUSPENDED}]
        if not living:
            return multiple()
        wish, moment = self._wish(living[at % len(living)].licence_id), self.now + timedelta(days=days)
        done = self._do(lambda r: order_act(r, BOOK, wish, act, moment, new_id, self.now))
        return done[1].order_id if done else multiple()

    @rule(seals=st.booleans())
    def the_living_are_copied(self, seals: bool) -> None:
        living = [e.licence_id for e in self.store.kept.licences.values() if e.status is S.VALID]
        wish = self._wish(living[0]) if living else None
        made = wish and self._do(lambda r: make_copy(r, self.store, BOOK, wish, new_id, self.now))  # type: ignore[arg-type]
        if made and seals:
            self._seal(made[0].licence.licence_id)

    @rule(order_id=orders)
    def take_back(self, order_id: str) -> None:
        self._do(lambda r: withdraw_order(r, MARKET, order_id, "撤回", self.now))

    @rule()
    def sweep(self) -> None:
        self._do(lambda r: expire_licences(r, self.now))
        with self.store.transaction(self.now) as registry:
            due = asyncio.run(registry.life.orders.due_licences(self.now, 100))
        for licence_id in due:
            self._do(lambda r, each=licence_id: settle_licence(r, each, self.now))
        with self.store.transaction(self.now) as registry:
            assert asyncio.run(registry.life.orders.due_licences(self.now, 100)) == []

    @invariant()
    def one_version_of_a_licence_is_in_force(self) -> None:
        running: dict[str, int] = defaultdict(int)
        for each in self.store.kept.licences.values():
            running[each.lineage_id] += each.status in {S.VALID, S.SUSPENDED}
        assert max(running.values()) <= 1

    @invariant()
    def what_fell_never_comes_back(self) -> None:
        for licence_id, statuses in self.seen.items():
            for before, after in itertools.pairwise(statuses):
                if after is S.VALID:
                    assert before in {S.PENDING_SEAL, S.SUSPENDED}, licence_id
                if before in FELL:
                    assert after is S.CANCELLED, licence_id

    @invariant()
    def the_history_replays_to_where_the_licence_stands(self) -> None:
        orders = self.store.registry().life.orders
        for each in self.store.kept.licences.values():
            lines = asyncio.run(orders.history(each))
            assert replay(lines) is each.status
            due = [o for o in asyncio.run(orders.waiting(each.licence_id)) if o.effective_at <= self.now]
            if not due:
                assert state_at(lines, self.now, self.now) is each.status

    @invariant()
    def nothing_waits_to_follow_what_fell(self) -> None:
        kept = self.store.kept
        for link in kept.links.values():
            if kept.licences[link.licence_id].status is S.PENDING_SEAL:
                assert kept.licences[link.parent_id].status in {S.VALID, S.SUSPENDED, S.EXPIRED}

    @invariant()
    def no_copy_outlives_its_original(self) -> None:
        kept = self.store.kept
        for link in kept.links.values():
            if link.is_copy:
                copy, original = kept.licences[link.licence_id], kept.licences[link.parent_id]
                fell = original.status in FELL
                assert not (fell and copy.status in {S.VALID, S.SUSPENDED, S.PENDING_SEAL})
                assert not (original.status is S.SUSPENDED and copy.is_usable(self.now))

    def _seal(self, licence_id: str) -> None:
        content = f"sealed {licence_id}".encode()
        digest = hashlib.sha256(content).hexdigest()
        sealed = SealedDocument(f"sig-{licence_id}", content, digest, "VALID", self.now)
        self._do(lambda r: put_in_force(r, self.store, licence_id, sealed, digest, self.now))  # type: ignore[arg-type]

    def _wish(self, licence_id: str) -> Wish:
        return Wish(MARKET, licence_id, self.store.kept.licences[licence_id].etag, DECISION)

    def _do(self, work):
        try:
            with self.store.transaction(self.now) as registry:
                done = asyncio.run(work(registry))
        except Fault:
            return None
        for licence_id, licence in self.store.kept.licences.items():
            steps = [line.status for line in self.store.kept.changes[licence_id]]
            self.seen[licence_id] = [S.PENDING_SEAL, *steps]
            assert china_day(self.now) >= licence.issued_date.isoformat()
        return done


def new_id() -> str:
    return str(uuid.uuid4())


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
