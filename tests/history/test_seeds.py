"""Seeded histories over outbox, broker and inbox under faults: nothing lost, doubled or reordered.

``--seeds N`` runs more; ten thousand events a seed: ``python -m tests.history --seeds 100 --bus kafka``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.history.__main__ import repeat
from tests.history.checker import describe
from tests.history.conftest import Servers
from tests.history.nemesis import RELAY_STEPS, Misfortune
from tests.history.seed_run import Outcome, run_seed

EVENTS = 2_000
LOAD_SECONDS = 5.0
KEEP = Path("build/history")
ROUNDS = 5

pytestmark = [pytest.mark.chaos]
BOTH = pytest.mark.parametrize(
    "servers", ["postgres", pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True
)
Property = Callable[[str, object], None]


@BOTH
@pytest.mark.promise("P2")
async def test_no_history_under_faults_loses_doubles_or_reorders_an_event(
    servers: Servers, seeds: range, record_property: Property
) -> None:
    outcomes = []
    for seed in seeds:
        outcome = await run_seed(seed, *servers, events=EVENTS, load_seconds=LOAD_SECONDS, keep=KEEP)
        outcomes.append(outcome)
        _demand_sound(outcome, servers, f"--events {EVENTS} --load-seconds {LOAD_SECONDS}")
    record_property("measured", _measured(outcomes))


@BOTH
@pytest.mark.promise("P4")
async def test_f1_a_relay_killed_at_each_step_loses_nothing_while_another_waits(
    servers: Servers, record_property: Property
) -> None:
    """Before it sends, between sending and marking, and after marking."""
    kills = [Misfortune(0.3, "traps", " ".join(RELAY_STEPS * ROUNDS))]
    outcome = await run_seed(1, *servers, events=EVENTS, load_seconds=4.0, keep=KEEP, misfortunes=kills)
    _demand_sound(outcome, servers, "of this test")
    assert outcome.kills >= len(RELAY_STEPS) * ROUNDS
    record_property("measured", _measured([outcome]))


@pytest.mark.parametrize("servers", ["postgres"], indirect=True)
@pytest.mark.promise("P2")
async def test_f3_postgresql_servers_killed_under_load_lose_nothing(
    servers: Servers, record_property: Property
) -> None:
    """Both the server of the services and that of the bus, seven kills in all."""
    kinds = ("services-killed", "bus-killed") * 3 + ("services-killed",)
    kills = [Misfortune(0.5 + 1.0 * number, kind) for number, kind in enumerate(kinds)]
    outcome = await run_seed(3, *servers, events=EVENTS, load_seconds=8.0, keep=KEEP, misfortunes=kills)
    _demand_sound(outcome, servers, "of this test")
    record_property("measured", _measured([outcome]))


def _demand_sound(outcome: Outcome, servers: Servers, options: str) -> None:
    print(outcome.summary())
    kind = "kafka" if "Kafka" in servers[1].name else "postgres"
    assert outcome.is_sound, (
        f"{outcome.problem}\n{describe(outcome.verdict.anomalies)}\nfaults: {outcome.faults}\n"
        f"again: {repeat(outcome.seed, kind, EVENTS)} {options}"
    )


def _measured(outcomes: list[Outcome]) -> str:
    sent = sum(outcome.verdict.counts["sent"] for outcome in outcomes)
    kills = sum(outcome.kills for outcome in outcomes)
    slowest = max(outcome.longest_stall_seconds for outcome in outcomes)
    return (
        f"{outcomes[0].bus}: {len(outcomes)} seeds, {sent} events, {kills} kills, "
        f"0 missing, doubled or inverted, recovery ≤ {slowest:.1f} s"
    )
