"""A city's and a county's registry, each a real process with its own database and bus, mirrors between them.

What one tells is in the other's replica at once; while one is away, cut off, impersonated or set back to an old
backup, the other says what it knows, how old that is, and what it does not believe.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from chassis.auth import new_signing_key, signing_key_from_pem
from chassis.bus import BusConfig, NewRecord, open_bus
from chassis.event import Envelope, new_event_id
from cli.local.credentials import bus_app_dsn
from events.certs import MIRROR, ReplicaSent
from services.certs.domain.federation import LicenceMessage
from services.certs.domain.status import LicenceStatus
from services.certs.federated import JoseEnvelopes
from standards.identifiers import build_citizen_id
from tests.stacks.registries import BUSINESS, CITY, COUNTY, Mirrors, RunningRegistry, two_registries

pytestmark = [pytest.mark.asyncio(loop_scope="module")]
PATIENCE_SECONDS = 60.0
"""Of a machine that does much else at the time; how long it took is printed."""


@dataclass
class Ground:
    city: RunningRegistry
    county: RunningRegistry
    mirrors: Mirrors
    numbers: Iterator[int]

    def holder(self) -> str:
        return build_citizen_id("361103", date(1975, 1, 1) + timedelta(days=next(self.numbers)), 21)

    async def licence(self, registry: RunningRegistry) -> tuple[str, str]:
        """Return a fresh holder and the id of his new licence."""
        holder = self.holder()
        (licence_id,) = await registry.import_licences([holder], next(self.numbers))
        return holder, licence_id

    async def append(self, registry: RunningRegistry, message: LicenceMessage, key: Any) -> None:
        """Put a message on a registry's mirrored topic, as whoever carries it could."""
        event = ReplicaSent(
            stream=f"{message.audience}/{message.licence_id}",
            registry_id=message.issuer,
            recipient_id=message.audience,
            message=JoseEnvelopes(key, key).sign(message),
        )
        envelope = Envelope(new_event_id(), event.TYPE, "//tongban/certs", event.stream, 1, datetime.now(UTC))
        dsn = bus_app_dsn(registry.layout, registry.server.server_dsn)
        bus = await open_bus(BusConfig("postgres", "forger", postgres_dsn=dsn))
        try:
            headers = tuple(envelope.headers())
            body = event.model_dump_json().encode()
            record = NewRecord(MIRROR, event.stream.encode(), headers, body, envelope.event_id)
            assert await bus.producer().append([record]) == [None]
        finally:
            await bus.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground() -> AsyncIterator[Ground]:
    async with two_registries() as (city, county, mirrors):
        yield Ground(city, county, mirrors, count(1))


async def until(what: Callable[[], Awaitable[Any]], words: str) -> Any:
    """Return the first answer that is true, and print how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_SECONDS:
        found = await what()
        if found:
            print(f"{words}: {time.monotonic() - began:.2f} s")
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE_SECONDS:.0f} s: {words}")


def revocation(licence_id: str, issuer: str, audience: str, ordinal: int) -> LicenceMessage:
    now = datetime.now(UTC)
    status = LicenceStatus.REVOKED
    return LicenceMessage(
        issuer, audience, licence_id, ordinal, 9, 0, 9, BUSINESS, status, "revoke", False, now, now, "x"
    )


async def test_what_one_registry_issues_the_other_finds_at_once(ground: Ground) -> None:
    for source, target in ((ground.city, ground.county), (ground.county, ground.city)):
        holder, licence_id = await ground.licence(source)
        status = await until(
            lambda to=target, of=licence_id: to.replica_of(of), f"{source.registry_id} in the other's replica"
        )
        assert status == "valid"
        answer = (await target.find(holder))[source.registry_id]
        assert answer["source"] == "ANSWER_SOURCE_ISSUER"
        assert answer["licences"][0]["licence"]["licence_id"] == licence_id


async def test_a_revocation_is_in_the_replica_and_how_long_it_took_is_reported(
    ground: Ground, record_testsuite_property: Callable[[str, object], None]
) -> None:
    _, licence_id = await ground.licence(ground.city)
    await until(lambda: ground.county.replica_of(licence_id), "in the replica")
    await ground.city.revoke(licence_id)
    began = time.monotonic()

    async def revoked() -> bool:
        return await ground.county.replica_of(licence_id) == "revoked"

    await until(revoked, "revoked in the replica")
    record_testsuite_property("replica_lag_seconds", round(time.monotonic() - began, 3))


async def test_while_the_issuer_is_down_its_replica_answers_and_says_how_old_it_is(ground: Ground) -> None:
    holder, licence_id = await ground.licence(ground.city)
    await until(lambda: ground.county.replica_of(licence_id), "in the replica")
    await ground.city.stop_certs()
    try:
        first = (await ground.county.find(holder))[CITY]
        assert first["source"] == "ANSWER_SOURCE_REPLICA"
        assert first["licences"][0]["licence"]["status"] == "LICENCE_STATUS_VALID"
        await asyncio.sleep(1.5)
        second = (await ground.county.find(holder))[CITY]
        assert second["age_seconds"] > first["age_seconds"] + 1
        assert second["as_of"] == first["as_of"]
    finally:
        await ground.city.start_certs()
    told = "select count(*) from usage where licence_id = $1::text::uuid and kind = 'find'"

    async def both_told() -> bool:
        return bool(await ground.city.query(told, licence_id) == 2)

    await until(both_told, "both uses told to the issuer")
    await asyncio.sleep(1.5)
    assert await ground.city.query(told, licence_id) == 2


async def test_a_revocation_while_the_mirror_is_cut_is_seen_once_it_is_back(ground: Ground) -> None:
    holder, licence_id = await ground.licence(ground.city)
    await until(lambda: ground.county.replica_of(licence_id), "in the replica")
    await ground.mirrors.stop(COUNTY)
    await ground.city.revoke(licence_id)

    async def published() -> bool:
        waiting = "select count(*) from event_log where published_at is null and topic = 'certs.replica.v1'"
        sent = "select count(*) from replica_sent where licence_id = $1::text::uuid"
        return await ground.city.query(sent, licence_id) == 2 and not await ground.city.query(waiting)

    await until(published, "told on the issuer's own bus")
    await ground.city.stop_certs()
    try:
        await ground.mirrors.start(CITY, COUNTY)

        async def revoked() -> bool:
            return await ground.county.replica_of(licence_id) == "revoked"

        await until(revoked, "revoked in the replica after the cut")
        answer = (await ground.county.find(holder))[CITY]
        assert answer["source"] == "ANSWER_SOURCE_REPLICA"
        assert answer["licences"][0]["licence"]["status"] == "LICENCE_STATUS_REVOKED"
    finally:
        await ground.city.start_certs()


async def test_a_forger_and_a_peer_that_speaks_of_our_licence_are_refused_and_counted(ground: Ground) -> None:
    _, mine = await ground.licence(ground.county)
    theirs = signing_key_from_pem((ground.city.layout.secrets("certs") / "registry_key.pem").read_bytes())
    await ground.append(ground.county, revocation(str(uuid4()), CITY, COUNTY, 10_001), new_signing_key())
    await ground.append(ground.county, revocation(mine, CITY, COUNTY, 10_002), theirs)

    async def refused() -> dict[str, str]:
        told = (await ground.county.status(CITY)).get("refused", {})
        return told if {"signature_wrong", "not_theirs"} <= told.keys() else {}

    await until(refused, "both refused")
    status = await ground.county.query("select status from licence where licence_id = $1::text::uuid", mine)
    assert status == "valid"
    assert await ground.county.replica_of(mine) is None


async def test_an_issuer_set_back_to_an_old_backup_is_found_out(ground: Ground) -> None:
    holder, licence_id = await ground.licence(ground.city)
    await until(lambda: ground.county.replica_of(licence_id), "in the replica")
    await ground.city.stop()
    data = ground.city.layout.postgres
    backup = data.with_name("postgres.backup")
    copying = await asyncio.create_subprocess_exec("cp", "-a", str(data), str(backup))  # the owner as well
    assert await copying.wait() == 0
    await ground.city.start()
    _, lost = await ground.licence(ground.city)
    await until(lambda: ground.county.replica_of(lost), "in the replica, not in the backup")

    async def heard() -> bool:
        found = await ground.county.status(CITY)
        return bool(found["log_size"] >= await ground.city.query("select size from log_state"))

    await until(heard, "the log's newest checkpoint is known")
    await ground.city.stop()
    await asyncio.to_thread(shutil.rmtree, data)
    await asyncio.to_thread(backup.rename, data)
    await ground.city.start()

    async def frozen() -> str:
        return str((await ground.county.status(CITY))["frozen_cause"])

    cause = await until(frozen, "the fork is found")
    print(cause)
    await ground.city.stop_certs()
    answer = (await ground.county.find(holder))[CITY]
    assert (answer["source"], answer["reason"]) == ("ANSWER_SOURCE_UNKNOWN", "REPLICA_FROZEN")
    await ground.city.start_certs()
