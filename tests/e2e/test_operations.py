"""What an operator does with an event nobody can read: see it, try again, drop it with a reason."""

from __future__ import annotations

import time
import uuid

import pytest

from chassis.bus import BusConfig, open_bus
from chassis.bus.port import NewRecord
from cli.local.credentials import bus_app_dsn
from cli.local.postgres import EmbeddedPostgres
from tests.e2e.conftest import Told

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
TOPIC = "intake.case.v1"


async def append_unreadable(told: Told, key: str) -> None:
    layout, state = told.reach.layout, told.reach.state
    dsn = bus_app_dsn(layout, EmbeddedPostgres(layout.postgres).server_dsn)
    bus = await open_bus(
        BusConfig(state.bus, "tongban-e2e", kafka_bootstrap=state.kafka_bootstrap, postgres_dsn=dsn)
    )
    producer = bus.producer()
    try:
        answers = await producer.append([NewRecord(TOPIC, key.encode(), [], b"no event", uuid.uuid4())])
        assert answers == [None]
    finally:
        await producer.close()
        await bus.close()


def test_an_unreadable_event_is_parked_shown_tried_again_and_dropped(told: Told, run_in_loop):
    key = f"unreadable-{uuid.uuid4()}"
    run_in_loop(append_unreadable(told, key))
    deadline = time.monotonic() + 30
    while not (parked := told.command("dead-letters", "list", "--service", "certs")[1]["keys"]):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert parked == [{"topic": TOPIC, "key": key}]

    status, shown = told.command("dead-letters", "show", key, "--service", "certs")
    (letter,) = shown["events"]
    assert (status, letter["state"], letter["body"]) == (0, "parked", "no event")

    status, again = told.command("dead-letters", "replay", key, "--service", "certs")
    assert (status, again["applied"], again["left"]) == (1, 0, 1), "it is as unreadable as before"

    for service in ("certs", "notify", "intake"):
        for each in told.command("dead-letters", "show", key, "--service", service)[1]["events"]:
            arguments = ("dead-letters", "discard", str(each["id"]), "--service", service)
            assert told.command(*arguments, "--reason", "")[1]["reason"] == "INVALID_REQUEST"
            assert told.command(*arguments, "--reason", "made by a test")[0] == 0
        assert told.command("dead-letters", "list", "--service", service)[1]["causes"] == []
    (letter,) = told.command("dead-letters", "show", key, "--service", "certs")[1]["events"]
    assert (letter["state"], letter["resolution"]) == ("discarded", "made by a test")
    assert told.command("dead-letters", "show", "nobody", "--service", "certs")[1]["events"] == []
