"""What is claimed of the log-in: codes nobody can predict, a line for each attempt, no personal value in any."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import structlog

from chassis import logs
from chassis.fields import FieldCipher
from chassis.keyring import new_keyring, parse_keyring
from services.intake.domain.identity.challenge import CODE_DIGITS
from services.intake.store.identity import HashedCodes
from tests.integration.intake.stage import OTHER_KIOSK, Stage, card, headers, open_stage
from tests.stacks.postgres import PostgresServer

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SESSIONS = [f"018f0000-0000-7000-8000-{number:012x}" for number in range(20_000)]
PHONE = "19900000001"


def codes() -> HashedCodes:
    """Return the codes under a fresh secret key."""
    return HashedCodes(FieldCipher(parse_keyring(new_keyring(NOW)), service="intake"))


def uneven(found: Counter[str], cells: int) -> float:
    """Return how far counts are from even: chi-square over its expectation, in standard deviations."""
    expected = sum(found.values()) / cells
    square = sum((count - expected) ** 2 / expected for count in found.values())
    square += (cells - len(found)) * expected
    return float((square - (cells - 1)) / (2 * (cells - 1)) ** 0.5)


def test_codes_are_spread_evenly_though_their_sessions_follow_one_another() -> None:
    source = codes()
    made = [source.code_of(each) for each in SESSIONS]
    assert all(len(each) == CODE_DIGITS and each.isdigit() for each in made)
    for place in range(CODE_DIGITS - 1):
        assert uneven(Counter(each[place : place + 2] for each in made), 100) < 6, place
    steps = Counter(f"{(int(b) - int(a)) % 100:02}" for a, b in pairwise(made))
    assert uneven(steps, 100) < 6, "nothing follows from the code before"
    assert len(set(made)) > 0.98 * len(made)


def test_a_code_depends_on_the_secret_key_and_on_its_session_alone() -> None:
    one, other = codes(), codes()
    assert [one.code_of(each) for each in SESSIONS[:50]] == [one.code_of(each) for each in SESSIONS[:50]]
    same = sum(one.code_of(each) == other.code_of(each) for each in SESSIONS)
    assert same <= 3, "20,000 in a million agree by chance 0.02 times"
    assert one.hash_of(SESSIONS[0], "000000") != other.hash_of(SESSIONS[0], "000000")


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


@contextmanager
def lines() -> Iterator[list[dict[str, Any]]]:
    """Yield what is logged within the block, read once it is over."""
    stream, found = io.StringIO(), list[dict[str, Any]]()
    logs.configure("intake", stream=stream)
    try:
        yield found
    finally:
        structlog.reset_defaults()
        found += [json.loads(each) for each in stream.getvalue().splitlines()]


async def test_every_log_in_leaves_a_line_good_or_bad_and_nothing_personal_in_it(stage: Stage) -> None:
    reading = card()
    with lines() as found:
        opened = (await stage.open(reading, PHONE)).json()
        code = stage.handset.sent[-1]["code"]
        wrong = f"{(int(code) + 1) % 10**6:06d}"
        assert (await stage.verify(opened["session_id"], wrong)).status_code == 401
        assert (await stage.verify(opened["session_id"], code, OTHER_KIOSK)).status_code == 401
        token = (await stage.verify(opened["session_id"], code)).json()
        forged = await stage.web.post("/v1/sessions", json={"assertion": "x.y.z", "reading": reading})
        assert forged.status_code == 401
        assert (await stage.web.get("/v1/me", headers=headers("x.y.z"))).status_code == 401
        entered = headers(token["access_token"])
        assert (await stage.web.delete("/v1/sessions/current", headers=entered)).status_code == 204
    told = [(each["event"], each.get("reason_code")) for each in found if each["event"].startswith("log_")]
    assert told == [
        ("log_in_begun", None),
        ("log_in_refused", "CODE_NOT_ACCEPTED"),
        ("log_in_refused", "CODE_NOT_ACCEPTED"),
        ("log_in_accepted", None),
        ("log_in_refused", "NOT_AUTHENTICATED"),
        ("log_out", None),
    ]
    good = next(each for each in found if each["event"] == "log_in_accepted")
    assert (good["person_id"], good["session_id"]) == (token["person_id"], opened["session_id"])
    assert (good["way"], good["terminal_id"]) == ("card", token["terminal_id"])
    assert all(each["ts"] and each["request_id"] for each in found)
    refused = [each for each in found if each["event"] == "request_refused"]
    assert ("/v1/me", "NOT_AUTHENTICATED") in {(each["route"], each["reason_code"]) for each in refused}
    text = json.dumps(found, ensure_ascii=False)
    for value in (reading["id_number"], reading["name"], PHONE, code, wrong, token["access_token"]):
        assert value not in text
