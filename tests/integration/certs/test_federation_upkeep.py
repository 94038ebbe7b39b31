"""What federation keeps: forgotten once it is settled and overtaken, and measured while it waits."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.certs.app.federation import AGE, OWED_AGE, replica_measure
from services.certs.app.replica_retention import forgetting_step
from services.certs.domain.federation import Agreement
from services.certs.domain.status import LicenceStatus
from services.certs.store.licences import LicenceStore
from tests.integration.certs.conftest import BUSINESS
from tests.integration.certs.federation_sites import CITY, COUNTY, Site, make_site
from tongban.certs.v1 import federation_pb2 as pb
from tongban.certs.v1 import licence_pb2

KEEP = timedelta(days=30)
_SENT = "select count(*) from replica_sent where licence_id = $1::text::uuid"


@pytest.fixture
async def sites(fresh_database: Any, tmp_path: Path) -> AsyncIterator[tuple[Site, Site]]:
    """A city and a county that share business licences both ways."""
    made: list[Site] = []
    for number, name in enumerate((CITY, COUNTY)):
        made.append(await make_site(await fresh_database(), tmp_path / name, name, made, number))
    city, county = made
    city.agree(Agreement(county.card(), frozenset({BUSINESS}), frozenset({BUSINESS})))
    county.agree(Agreement(city.card(), frozenset({BUSINESS}), frozenset({BUSINESS})))
    yield city, county
    for each in made:
        await each.world.database.close()


async def forget(site: Site, rows: int = 2) -> None:
    """One walk over everything, a few rows at a time."""
    step = forgetting_step(site.world.database, site.vault, site.world.clock, KEEP, rows)
    while await step():
        pass


async def months_later(*sites: Site) -> None:
    for each in sites:
        each.world.clock.offset += KEEP + timedelta(days=1)


async def told_four_times(city: Site) -> tuple[str, str]:
    """A licence of which the county was told four times; return its holder and its id."""
    holder = city.world.citizen()
    licence_id = await city.world.stock_licence(holder)
    await city.speak()
    for status in (LicenceStatus.SUSPENDED, LicenceStatus.VALID, LicenceStatus.REVOKED):
        await city.change(licence_id, status)
        await city.speak()
    return holder, licence_id


async def test_overtaken_numbers_go_after_their_time_and_the_last_two_of_a_licence_stay(
    sites: tuple[Site, Site],
) -> None:
    city, _ = sites
    _, licence_id = await told_four_times(city)
    other = await city.world.stock_licence(city.world.citizen())
    await city.speak()
    await forget(city)
    assert await city.world.count(_SENT, licence_id) == 4
    await months_later(city)
    await forget(city)
    assert await city.world.count(_SENT, licence_id) == 2
    assert await city.world.count(_SENT, other) == 1


async def test_a_replica_that_heard_nothing_of_what_was_forgotten_is_filled_and_goes_on(
    sites: tuple[Site, Site],
) -> None:
    city, county = sites
    holder, licence_id = await told_four_times(city)
    later_holder = city.world.citizen()
    later = await city.world.stock_licence(later_holder)
    await city.speak()
    await months_later(city, county)
    await forget(city)
    await city.log()
    await county.exchange.catch_up()
    assert (await county.state(CITY)).through == 5
    assert await county.refused() == {}
    await city.change(later, LicenceStatus.SUSPENDED)
    await county.hear(await city.speak())
    county.wire.cut = True
    revoked, suspended = [(await county.find(each))[CITY] for each in (holder, later_holder)]
    assert (revoked.source, suspended.source) == (pb.ANSWER_SOURCE_REPLICA, pb.ANSWER_SOURCE_REPLICA)
    assert revoked.licences[0].licence.status == licence_pb2.LICENCE_STATUS_REVOKED
    assert suspended.licences[0].licence.status == licence_pb2.LICENCE_STATUS_SUSPENDED
    assert (await county.state(CITY)).through == 6
    assert await county.world.count(
        "select count(*) from replica_licence where licence_id = $1::text::uuid", licence_id
    )


async def test_a_replica_of_the_middle_of_the_stream_takes_what_is_left_of_it_and_late_originals_change_nothing(
    sites: tuple[Site, Site],
) -> None:
    city, county = sites
    holder = city.world.citizen()
    licence_id = await city.world.stock_licence(holder)
    await county.hear(await city.speak())
    lost = []
    for status in (LicenceStatus.SUSPENDED, LicenceStatus.VALID, LicenceStatus.REVOKED):
        await city.change(licence_id, status)
        lost += await city.speak()
    await months_later(city, county)
    await forget(city)
    await county.exchange.catch_up()
    assert (await county.state(CITY)).through == 4
    await county.hear(lost)
    county.wire.cut = True
    found = (await county.find(holder))[CITY]
    assert found.licences[0].licence.status == licence_pb2.LICENCE_STATUS_REVOKED


async def test_a_use_is_forgotten_only_after_its_registry_was_told(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder = city.world.citizen()
    await city.world.stock_licence(holder)
    await county.hear(await city.speak())
    county.wire.cut = True
    for _ in range(3):
        await county.find(holder)
    await months_later(city, county)
    await forget(county)
    assert await county.world.count("select count(*) from replica_use") == 3
    county.wire.cut = False
    await county.exchange.pay()
    await forget(county)
    assert await county.world.count("select count(*) from replica_use") == 3
    await months_later(city, county)
    await forget(county)
    assert await county.world.count("select count(*) from replica_use") == 0


async def test_the_licences_of_all_uses_that_are_told_at_once_are_looked_up_in_one_statement(
    sites: tuple[Site, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, county = sites
    holders = [city.world.citizen() for _ in range(3)]
    licence_ids = [await city.world.stock_licence(each) for each in holders]
    await county.hear(await city.speak())
    county.wire.cut = True
    for each in holders:
        await county.find(each)
    county.wire.cut = False
    monkeypatch.setattr(LicenceStore, "get", None)
    await county.exchange.pay()
    told = "select count(*) from usage where kind = 'find' and licence_id = $1::text::uuid"
    assert [await city.world.count(told, each) for each in licence_ids] == [1, 1, 1]


async def test_a_registry_that_was_never_heard_counts_as_old_and_owed_uses_have_an_age(
    sites: tuple[Site, Site],
) -> None:
    city, county = sites
    holder = city.world.citizen()
    await city.world.stock_licence(holder)

    async def measured() -> tuple[float, float]:
        async with county.world.database.transaction() as tx:
            await replica_measure(county.exchange, county.vault)(tx)
        return AGE.labels(CITY)._value.get(), OWED_AGE.labels(CITY)._value.get()

    assert await measured() == (math.inf, 0.0)
    await county.hear(await city.speak())
    county.wire.cut = True
    await county.find(holder)
    county.world.clock.offset = timedelta(hours=2)
    age, owed = await measured()
    assert 7_190 < age < 7_300
    assert 7_190 < owed < 7_300
