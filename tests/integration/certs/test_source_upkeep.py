"""What is known of a source beside its rows, on a real PostgreSQL: where it differs from us, how fresh it is."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import pytest
from prometheus_client import Gauge

from chassis.errors import Fault
from services.certs.domain.importing import Arrivals, Source
from services.certs.domain.importing.canonical import digest_of_row, totals
from services.certs.rpc.sources import SourceServicer
from services.certs.store.measures import ANY_TYPE, FRESHNESS, OBJECTIVE, freshness
from services.certs.store.sealing import Vault
from services.certs.store.sources import SourceStore
from tests.integration.certs.conftest import BUSINESS, FIRE, MARKET, World
from tests.integration.certs.test_sources import CANCEL, send
from tongban.certs.v1 import source_pb2 as sources


@pytest.fixture
def desk(world: World) -> SourceServicer:
    return SourceServicer(world.desk)


async def test_reconciliation_names_exactly_the_days_that_differ(world: World, desk: SourceServicer) -> None:
    first = date(2024, 3, 1)
    rows = [world.row(world.citizen(), ZZBFRQ=(first + timedelta(days=n % 5)).isoformat()) for n in range(12)]
    with world.as_department():
        await send(world, *((0, row) for row in rows))
        await send(world, (CANCEL, {"ZZBS": rows[3]["ZZBS"]}))  # day 3, cancelled here only
    theirs = [*rows]
    theirs[0] = rows[0] | {"KZ_JYFW": "食品销售"}  # day 0: other content, same number
    del theirs[11]  # day 1: one fewer
    said = totals((day, found) for _, day, found in map(digest_of_row, theirs))
    request = sources.ReconcileSourceRequest(
        type_code=BUSINESS,
        first_day="2024-02-27",
        last_day="2024-03-10",
        days=[
            sources.DayTotal(day=each.day.isoformat(), count=each.count, hash=each.hash)
            for each in reversed(said.values())
        ],
    )
    with world.as_department():
        answer = await desk.ReconcileSource(request, None)
    assert [(each.day, each.count, each.registry_count) for each in answer.differing_days] == [
        ("2024-03-01", 3, 3),
        ("2024-03-02", 2, 3),
        ("2024-03-04", 2, 2),
    ]
    assert list(answer.equal_days) == ["2024-03-03", "2024-03-05"]
    with world.as_department(FIRE):
        other = await desk.ReconcileSource(request, None)
    assert not other.equal_days
    assert all(each.registry_count == 0 for each in other.differing_days)


async def test_a_comparison_with_wrong_days_names_each(world: World, desk: SourceServicer) -> None:
    request = sources.ReconcileSourceRequest(
        first_day="2024-02-30", last_day="2024-03-10", days=[sources.DayTotal(day="2024-03-01", count=-1)]
    )
    with world.as_department(), pytest.raises(Fault) as refused:
        await desk.ReconcileSource(request, None)
    assert [each.field_path for each in refused.value.violations] == ["type_code", "first_day", "days[0]"]


async def test_freshness_is_a_running_figure_of_the_import_itself(world: World) -> None:
    assert isinstance(world.desk.vault, Vault)
    today = world.clock().date()
    with world.as_department():
        await send(
            world,
            (0, world.row(world.citizen(), ZZBFRQ=(today - timedelta(days=3)).isoformat())),
            (0, world.row(world.citizen(), ZZBFRQ=(today - timedelta(days=400)).isoformat())),
        )
    world.clock.offset = timedelta(hours=5)
    async with world.database.transaction() as tx:
        row = await tx.fetchrow("select * from source_freshness")
        await freshness(world.desk.vault, world.clock, world.desk.types)(tx)
    assert row is not None
    assert (row["source_id"], row["type_code"]) == (MARKET, BUSINESS)
    assert row["within_7_days"] == row["later"] == 1
    assert row["worst_delay_days"] >= 399
    assert 17_900 < FRESHNESS.labels(BUSINESS, MARKET)._value.get() < 18_300


async def test_a_source_that_never_delivered_is_as_old_as_its_registration(world: World) -> None:
    """Else a department that registers and forgets is noticed by nobody."""
    assert isinstance(world.desk.vault, Vault)
    named, open_ = f"named-{uuid4().hex}", f"open-{uuid4().hex}"
    async with world.database.transaction() as tx:
        for source_id, types in ((named, (BUSINESS, "11100000000000888T001")), (open_, ())):
            source = Source(source_id, MARKET, "", "register", type_codes=types, freshness_seconds=3_600)
            await SourceStore(tx, world.desk.vault).save(source, "operator")
    world.clock.offset = timedelta(hours=5)
    measure = freshness(world.desk.vault, world.clock, world.desk.types)
    async with world.database.transaction() as tx:
        await measure(tx)
    ages = shown(FRESHNESS, named) | shown(FRESHNESS, open_)
    assert set(ages) == {BUSINESS, ANY_TYPE}, "a type that the catalogue does not know is no label"
    assert all(17_900 < age < 18_300 for age in ages.values())
    assert shown(OBJECTIVE, named) | shown(OBJECTIVE, open_) == {BUSINESS: 3_600, ANY_TYPE: 3_600}

    came = Arrivals(BUSINESS, world.clock().date(), 0, 0, within_1_day=1)
    async with world.database.transaction() as tx:
        for source_id in (named, open_):
            await SourceStore(tx, world.desk.vault).note_arrivals(source_id, [came])
        await measure(tx)
    for source_id in (named, open_):
        assert set(shown(FRESHNESS, source_id)) == set(shown(OBJECTIVE, source_id)) == {BUSINESS}
        assert shown(FRESHNESS, source_id)[BUSINESS] < 300


def shown(gauge: Gauge, source_id: str) -> dict[str, float]:
    """Return what a gauge tells of a source: type → value."""
    return {
        sample.labels["licence_type"]: sample.value
        for metric in gauge.collect()
        for sample in metric.samples
        if sample.labels["source"] == source_id
    }
