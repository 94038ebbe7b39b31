"""Two whole deployments on one machine, agreed over the command line: the story of a city and a county."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

from cli.local.layout import Layout
from cli.local.postgres import EmbeddedPostgres
from standards.identifiers import build_citizen_id
from tests.e2e.test_two_registries import until
from tests.stacks.catalogues import county_catalogue
from tests.stacks.local import ROOT, LocalStack, local_stack
from tests.stacks.registries import (
    BUSINESS,
    CITY,
    COUNTIES,
    COUNTY,
    Mirrors,
    RunningRegistry,
    child_environment,
)

NAME = "丰小玉"


async def tongban(*arguments: str, home: Path, fails: bool = False) -> dict[str, Any]:
    """Run the command as an operator does and return its answer."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments, "--data-dir", str(home), "--json"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env=child_environment(),
    )
    told, _ = await process.communicate()
    assert bool(process.returncode) is fails, told.decode()
    answer: dict[str, Any] = json.loads(told)
    return answer


def registry(stack: LocalStack, registry_id: str) -> RunningRegistry:
    layout = stack.layout
    return RunningRegistry(registry_id, layout, stack.state, EmbeddedPostgres(layout.postgres))


async def agree(city: Path, county: Path, exchange: Path) -> None:
    """Name both registries and exchange their files, twice, comparing fingerprints."""
    sides = ((CITY, city), (COUNTY, county))
    for registry_id, home in sides:
        await tongban("federation", "init", registry_id, home=home)
    for _ in range(2):
        for (registry_id, home), (_, other) in (sides, sides[::-1]):
            file = exchange / f"{registry_id}.peer"
            found = await tongban("federation", "peer", "export", str(file), home=home)
            add = ["federation", "peer", "add", str(file), "--fingerprint"]
            types = ["--send", BUSINESS, "--accept", BUSINESS]
            refusal = await tongban(*add, "0" * 64, *types, home=other, fails=True)
            assert refusal["reason"] == "FINGERPRINT_WRONG"
            await tongban(*add, found["fingerprint"], *types, home=other)


async def test_a_city_and_a_county_know_each_others_licences(tmp_path: Path) -> None:
    own = {each: county_catalogue(tmp_path / f"{each}-catalogue", COUNTIES[each]) for each in (CITY, COUNTY)}
    async with local_stack(catalogue=own[CITY]) as first, local_stack(catalogue=own[COUNTY]) as second:
        await agree(first.layout.home, second.layout.home, tmp_path)
        city, county = registry(first, CITY), registry(second, COUNTY)
        mirrors = Mirrors({CITY: first.layout.home, COUNTY: second.layout.home})
        try:
            await mirrors.start(CITY, COUNTY)
            await mirrors.start(COUNTY, CITY)
            await _story(city, county)
        finally:
            for target in (CITY, COUNTY):
                await mirrors.stop(target)


async def _story(city: RunningRegistry, county: RunningRegistry) -> None:
    holder = build_citizen_id("361103", date(1988, 8, 8), 17)

    async def agreed() -> bool:
        return bool((await county.status(CITY)).get("as_of"))

    await until(agreed, "first heartbeat")
    (licence_id,) = await city.import_licences([holder], 1)
    await until(lambda: county.replica_of(licence_id), "imported by the city, in the county's replica")
    online = (await county.find(holder))[CITY]
    assert online["source"] == "ANSWER_SOURCE_ISSUER"
    assert online["licences"][0]["licence"]["holder_name"] == "丰**"  # found, not given
    assert holder not in json.dumps(online)
    await city.revoke(licence_id)

    async def revoked() -> bool:
        return await county.replica_of(licence_id) == "revoked"

    await until(revoked, "revoked by the city, in the county's replica")
    await tongban("down", home=city.layout.home)
    offline = (await county.find(holder))[CITY]
    assert offline["source"] == "ANSWER_SOURCE_REPLICA"
    assert offline["licences"][0]["licence"]["status"] == "LICENCE_STATUS_REVOKED"
    assert offline["age_seconds"] > 0
    told = await tongban("federation", "status", home=county.layout.home)
    (report,) = [each for each in told["replicas"] if each["registry_id"] == CITY]
    assert (report["licences"], report["owed_uses"], report["frozen_cause"]) == (1, 1, "")
    for layout in (city.layout, county.layout):
        assert not await asyncio.to_thread(_files_with, layout, (holder, NAME))


def _files_with(layout: Layout, secrets: tuple[str, ...]) -> list[str]:
    """Return the database files, buses among them, in which a name or number stands in clear."""
    wanted = [each.encode() for each in secrets]
    files = (each for each in layout.postgres.rglob("*") if each.is_file())
    return [str(each) for each in files if any(secret in each.read_bytes() for secret in wanted)]
