"""What an operator does with parked events."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chassis import dead_letters
from chassis.dead_letters import DEAD_LETTER_NOT_FOUND
from chassis.errors import INVALID_REQUEST, PEER_UNAVAILABLE, Fault
from chassis.inbox import Consumer
from chassis.messaging_metrics import PARKED_KEYS
from tests.integration.messaging.rig import Rig, note_effect, running


class Bug:
    """A handler with a bug that can be mended."""

    def __init__(self, number: int) -> None:
        self.number: int | None = number
        self.outage = False

    async def __call__(self, tx: Any, event: Any, envelope: Any, prepared: Any) -> None:
        if self.outage:
            raise PEER_UNAVAILABLE(peer="seal")
        if event.number == self.number:
            raise ZeroDivisionError
        await note_effect(tx, event, envelope, prepared)


async def park_from_third(rig: Rig) -> tuple[Bug, Consumer]:
    """Six events of one key, of which the third failed: four are parked."""
    bug = Bug(3)
    consumer = rig.consumer(bug)
    async with running(rig.relay(), consumer):
        for _ in range(6):
            await rig.move("k")
        await rig.settled(2)
    return bug, consumer


async def numbers(rig: Rig) -> list[int]:
    return [row["number"] for row in await rig.effects()]


async def test_later_events_of_the_key_are_parked_in_order_behind_the_culprit(rig: Rig) -> None:
    _, consumer = await park_from_third(rig)
    letters = await dead_letters.show(rig.reader, rig.group, "k")
    assert [letter.attempts for letter in letters] == [3, 0, 0, 0]
    assert [letter.position for letter in letters] == sorted(letter.position for letter in letters)
    groups = await dead_letters.list_causes(rig.reader, rig.group)
    assert [(group.keys, group.events, group.example_key) for group in groups] == [(1, 3, "k"), (1, 1, "k")]
    assert groups[0].cause == "BEHIND_PARKED_EVENT"
    assert groups[1].cause.startswith("ZeroDivisionError at test_dead_letters.py:")
    assert await dead_letters.list_keys(rig.reader, rig.group, groups[1].cause) == [(rig.topic, "k")]
    await consumer.measure()
    assert PARKED_KEYS.labels(rig.group)._value.get() == 1


async def test_a_replay_applies_the_key_in_order_and_frees_it(rig: Rig) -> None:
    bug, consumer = await park_from_third(rig)
    bug.number = None
    assert await dead_letters.replay(consumer.inbox, "k", actor="operator-7") == dead_letters.Replayed(4, 0)
    assert await numbers(rig) == [1, 2, 3, 4, 5, 6]
    assert await dead_letters.list_keys(rig.reader, rig.group) == []
    letters = await dead_letters.show(rig.reader, rig.group, "k")
    assert {(letter.state, letter.resolved_by) for letter in letters} == {("replayed", "operator-7")}
    async with running(rig.relay(), consumer):
        await rig.move("k")
        await rig.settled(7)
    assert await numbers(rig) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_replay_stops_at_the_first_event_that_fails_again(rig: Rig) -> None:
    bug, consumer = await park_from_third(rig)
    bug.number = 5
    done = await dead_letters.replay(consumer.inbox, "k", actor="operator-7")
    assert (done.applied, done.left) == (2, 2)
    assert (done.cause or "").startswith("ZeroDivisionError")
    assert await numbers(rig) == [1, 2, 3, 4]


async def test_an_outage_during_a_replay_is_raised_and_resolves_nothing(rig: Rig) -> None:
    bug, consumer = await park_from_third(rig)
    bug.outage = True
    with pytest.raises(Fault) as refusal:
        await dead_letters.replay(consumer.inbox, "k", actor="operator-7")
    assert refusal.value.reason is PEER_UNAVAILABLE
    assert (
        len(
            [
                letter
                for letter in await dead_letters.show(rig.reader, rig.group, "k")
                if letter.state == "parked"
            ]
        )
        == 4
    )


async def test_new_events_cannot_overtake_a_replay(rig: Rig) -> None:
    bug, consumer = await park_from_third(rig)
    bug.number = None
    async with running(rig.relay(), consumer):
        replaying = asyncio.create_task(dead_letters.replay(consumer.inbox, "k", actor="operator-7"))
        for _ in range(30):
            await rig.move("k")
        await replaying
        await dead_letters.replay(consumer.inbox, "k", actor="operator-7")
        await rig.settled(36)
    assert await numbers(rig) == list(range(1, 37))


async def test_two_operators_replaying_one_key_apply_each_event_once(rig: Rig) -> None:
    bug, consumer = await park_from_third(rig)
    bug.number = None
    done = await asyncio.gather(*(dead_letters.replay(consumer.inbox, "k", actor=f"o{n}") for n in range(3)))
    assert sum(one.applied for one in done) == 4
    assert await numbers(rig) == [1, 2, 3, 4, 5, 6]


async def test_a_discard_needs_a_reason_and_leaves_who_and_why(rig: Rig) -> None:
    bug, consumer = await park_from_third(rig)
    culprit = (await dead_letters.show(rig.reader, rig.group, "k"))[0]
    with pytest.raises(Fault) as refusal:
        await dead_letters.discard(rig.reader, rig.group, culprit.dead_letter_id, actor="o", reason=" ")
    assert refusal.value.reason is INVALID_REQUEST
    await dead_letters.discard(
        rig.reader, rig.group, culprit.dead_letter_id, actor="o", reason="wrong import"
    )
    with pytest.raises(Fault) as again:
        await dead_letters.discard(rig.reader, rig.group, culprit.dead_letter_id, actor="o", reason="twice")
    assert again.value.reason is DEAD_LETTER_NOT_FOUND
    kept = (await dead_letters.show(rig.reader, rig.group, "k"))[0]
    assert (kept.state, kept.resolved_by, kept.resolution) == ("discarded", "o", "wrong import")
    bug.number = None
    assert (await dead_letters.replay(consumer.inbox, "k", actor="o")).left == 0
    assert await numbers(rig) == [1, 2, 4, 5, 6]


async def test_an_unreadable_record_delivered_twice_is_parked_once(rig: Rig) -> None:
    await rig.raw("k", b"{", ("ce_id", b"not a uuid"))
    records = await rig.log()
    consumer = rig.consumer()
    await consumer.receive(records)
    await consumer.receive(records)
    (letter,) = await dead_letters.show(rig.reader, rig.group, "k")
    assert letter.record() == records[0]
    done = await dead_letters.replay(consumer.inbox, "k", actor="o")
    assert (done.applied, done.left) == (0, 1)


async def test_a_discard_that_a_replay_overtook_says_so(rig: Rig) -> None:
    await park_from_third(rig)
    culprit = (await dead_letters.show(rig.reader, rig.group, "k"))[0]
    async with rig.reader.transaction() as tx:
        await tx.execute("select from parked_key where consumer = $1 for update", rig.group)
        discarding = asyncio.create_task(
            dead_letters.discard(rig.reader, rig.group, culprit.dead_letter_id, actor="o", reason="wrong")
        )
        await asyncio.sleep(0.3)
        await tx.execute(
            "update dead_letter set state = 'replayed', resolved_at = now() where dead_letter_id = $1",
            culprit.dead_letter_id,
        )
    with pytest.raises(Fault) as refusal:
        await discarding
    assert refusal.value.reason is DEAD_LETTER_NOT_FOUND


async def test_a_record_whose_type_no_text_can_hold_is_parked_behind_its_key(rig: Rig) -> None:
    """PostgreSQL's text takes no NUL: the parking itself would fail, for ever."""
    _, consumer = await park_from_third(rig)
    await rig.raw("k", b"{}", ("ce_type", b"intake.Odd\x00.v1"), version=7)
    await consumer.receive(
        [record for record in await rig.log() if b"Odd" in dict(record.headers)["ce_type"]]
    )  # type: ignore[operator]
    assert (await dead_letters.show(rig.reader, rig.group, "k"))[-1].cause == "BEHIND_PARKED_EVENT"


async def test_an_event_whose_key_was_freed_meanwhile_is_prepared_before_it_is_applied(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug, given = Bug(1), list[object]()

    async def ask(event: Any) -> str:
        return f"answer {event.number}"

    async def apply(tx: Any, event: Any, envelope: Any, prepared: Any) -> None:
        given.append(prepared)
        await bug(tx, event, envelope, prepared)

    consumer = rig.consumer(apply, prepare=ask)
    await rig.move("k")
    async with running(rig.relay()):
        first = await rig.log()
        await consumer.receive(first)
        await rig.move("k")
        await asyncio.sleep(0.5)
        second = [record for record in await rig.log() if record.offset > first[-1].offset]
    bug.number, prepare = None, consumer.inbox._prepare

    async def prepare_then_free(batch: Any) -> None:
        await prepare(batch)
        await dead_letters.replay(consumer.inbox, "k", actor="operator-7")

    monkeypatch.setattr(consumer.inbox, "_prepare", prepare_then_free)
    given.clear()
    await consumer.receive(second)
    assert await numbers(rig) == [1, 2]
    assert given == ["answer 1", "answer 2"]
