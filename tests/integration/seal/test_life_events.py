"""Every step in the life of a seal leaves who decided it and why, and one event that names neither."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise

import pytest

from services.seal.domain.register import SealStatus
from tests.integration.seal.conftest import SealWorld
from tests.integration.seal.life_room import REJECTED, apply, decide, made, withdraw

PEOPLE = ("张三", "李四", "王五", "赵六")
APPLIED, DECIDED = "seal.SealApplied.v1", "seal.SealApplicationDecided.v1"
MADE, CHANGED = "seal.SealMade.v1", "seal.SealStatusChanged.v1"


async def told(world: SealWorld, aggregate_id: str) -> list[tuple[str, int, dict[str, str]]]:
    """Return the events of one application or seal: type, version, body."""
    rows = await world.rows(
        "select type, version, payload from event_log where aggregate_id = $1 order by seq", aggregate_id
    )
    return [(row["type"], row["version"], json.loads(row["payload"])) for row in rows]


async def step(world: SealWorld, seal_id: str, status: SealStatus, second_person: str = "") -> None:
    world.clock.at += timedelta(minutes=5)
    await world.change(
        seal_id,
        status,
        reason=f"因 {status}",
        operator="王五",
        second_person=second_person,
        account="operator/ops",
    )


async def test_a_whole_life_is_told_step_by_step(world: SealWorld) -> None:
    first = await made(world)
    await step(world, first.seal_id, SealStatus.SUSPENDED)
    await step(world, first.seal_id, SealStatus.ACTIVE, "赵六")
    await step(world, first.seal_id, SealStatus.LOST)
    second = await made(world, replaces=first.seal_id, reason="遗失")
    await step(world, second.seal_id, SealStatus.CANCELLED, "赵六")

    for seal, steps in (
        (first, ["made", "filed", "active", "suspended", "active", "lost", "remade"]),
        (second, ["made", "filed", "active", "cancelled"]),
    ):
        events = await told(world, seal.seal_id)
        assert [type_ for type_, _, _ in events] == [MADE] + [CHANGED] * (len(steps) - 1)
        bodies = [body for _, _, body in events]
        assert [(body["previous"], body["status"]) for body in bodies[1:]] == list(pairwise(steps))
        async with world.unit() as work:
            history = await work.seals.history(seal.seal_id)
        assert [entry.status.value for entry in history] == steps
        assert [entry.version for entry in history] == [version for _, version, _ in events]
        assert all(entry.reason and entry.operator for entry in history)
    async with world.unit() as work:
        history = await work.seals.history(first.seal_id)
    seconds = {entry.status.value: entry.second_person for entry in history[3:]}
    assert seconds == {"suspended": "", "active": "赵六", "lost": "", "remade": "李四"}

    for seal in (first, second):
        events = await told(world, seal.application_id)
        assert [(type_, version) for type_, version, _ in events] == [(APPLIED, 1), (DECIDED, 2)]
        assert events[1][2]["outcome"] == "approved"
    every = await world.rows("select payload from event_log")
    text = " ".join(bytes(row["payload"]).decode() for row in every)
    assert not [name for name in PEOPLE if name in text or json.dumps(name)[1:-1] in text]


@pytest.mark.parametrize("outcome", ["rejected", "withdrawn"])
async def test_an_application_that_comes_to_nothing_is_told_and_makes_no_seal(
    world: SealWorld, outcome: str
) -> None:
    application = await apply(world)
    await (decide(world, application, REJECTED) if outcome == "rejected" else withdraw(world, application))
    (_, (type_, version, body)) = await told(world, application.application_id)
    assert (type_, version, body["outcome"]) == (DECIDED, 2, outcome)
    (row,) = await world.rows("select decided_by, decided_reason from seal_application")
    assert all(row)
    assert await world.events("seal") == []
