"""Each anomaly in a hand-made history is found, and nothing is found in a sound one with faults."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.history.checker import Effect, Evidence, Injected, Outboxed, Parked, check
from tests.history.recording import Op
from tests.history.workload import chain_of

pytestmark = [pytest.mark.promise("P2")]


def event_id(number: int) -> str:
    return str(UUID(int=number))


def op(process: str, what: str, kind: str, **more: Any) -> Op:
    return {"at": 0, "process": process, "what": what, "kind": kind, **more}


def poll(process: str, first: int, ids: list[str], kind: str = "ok") -> list[Op]:
    seen = {"0": [[first + nr, each] for nr, each in enumerate(ids)]}
    return [op(process, "poll", "invoke", seen=seen), op(process, "poll", kind)]


def offset(process: str, value: int, kind: str = "ok") -> list[Op]:
    return [
        op(process, "offset", "invoke", offsets={"0": value}),
        op(process, "offset", kind, offsets={"0": value}),
    ]


A1, A2, A3, B1, X1, X2, X3 = (event_id(number) for number in range(1, 8))


@pytest.fixture
def sound() -> Evidence:
    """Two aggregates and a poisoned one; a duplicate, a killed consumer, a refused and an unknown commit."""
    history = [
        op("writer", "commit", "invoke", nonce="1"),
        op("writer", "commit", "ok", nonce="1"),
        op("writer", "commit", "invoke", nonce="2"),
        op("writer", "commit", "info", nonce="2"),
        op("writer", "commit", "invoke", nonce="3"),
        op("writer", "commit", "fail", nonce="3"),
        op("first", "live", "info"),
        op("first", "assign", "info", partitions=[0]),
        *poll("first", 0, [A1, B1, A1, A2]),  # A1 twice on the bus: harmless
        *offset("first", 4),
        *poll("first", 4, [A3, X1]),  # killed before its offset
        op("second", "live", "info"),
        op("second", "assign", "info", partitions=[0]),
        *poll("second", 4, [A3, X1], "fail"),  # an outage: comes again
        *poll("second", 4, [A3, X1, X2]),
        *offset("second", 7, "info"),  # unknown: the batch may come again
        *poll("second", 4, [A3, X1, X2]),
        *offset("second", 7),
        *poll("second", 7, [X3]),
        *offset("second", 8),
        *offset("first", 4, "fail"),  # a former owner, refused
    ]
    outbox = [
        Outboxed(A1, "a", 1, "1"),
        Outboxed(B1, "b", 1, "1"),
        Outboxed(A2, "a", 2, "2"),
        Outboxed(A3, "a", 3, "2"),
    ]
    chain = {"a": [(A1, 1), (A2, 2), (A3, 3)], "b": [(B1, 1)], "x": [(X2, 2), (X3, 3)]}
    return Evidence(
        history=history,
        outbox=outbox,
        effects=[
            Effect("a", 1, A1, 1, "1"),
            Effect("b", 1, B1, 1, "1"),
            Effect("a", 2, A2, 2, "2"),
            Effect("a", 3, A3, 3, "2"),
            Effect("x", 1, X2, 2, "raw"),
            Effect("x", 2, X3, 3, "raw"),
        ],
        chains={
            key: chain_of([(UUID(each), version) for each, version in row]) for key, row in chain.items()
        },
        parked=[
            Parked(1, "x", X1, "The event cannot be read", "discarded"),
            Parked(2, "x", X2, "BEHIND_PARKED_EVENT", "replayed"),
            Parked(3, "x", X3, "BEHIND_PARKED_EVENT", "replayed"),
        ],
        injected=[
            Injected(X1, "x", 1, "parked"),
            Injected(X2, "x", 2, "applied"),
            Injected(X3, "x", 3, "applied"),
        ],
        committed={0: 8},
    )


def test_a_sound_history_with_faults_has_no_anomaly(sound: Evidence) -> None:
    verdict = check(sound)
    assert verdict.anomalies == []
    wanted = {"sent": 4, "acknowledged": 1, "unknown": 1, "rolled_back": 1, "received": 5, "distinct": 4}
    wanted |= {"duplicates": 1, "missing": 0, "inversions": 0, "doubled": 0, "refused_commits": 1}
    assert verdict.counts == verdict.counts | wanted


def lost_commit(it: Evidence) -> None:
    it.outbox = [row for row in it.outbox if row.nonce != "1"]


def aborted_write(it: Evidence) -> None:
    it.outbox.append(Outboxed(event_id(90), "c", 1, "3"))


def outbox_order(it: Evidence) -> None:
    it.outbox[0], it.outbox[2] = it.outbox[2], it.outbox[0]


def lost_on_the_way(it: Evidence) -> None:
    for line in it.history:
        for records in line.get("seen", {}).values():
            for record in records:
                record[1] = A3 if record[1] == A2 else record[1]


def lost_effect(it: Evidence) -> None:
    del it.effects[3]


def aborted_read(it: Evidence) -> None:
    it.effects.append(Effect("c", 1, event_id(90), 1, "3"))


def duplicate_effect(it: Evidence) -> None:
    it.effects.append(Effect("a", 4, A3, 3, "2"))


def reorder(it: Evidence) -> None:
    it.effects[2] = Effect("a", 3, A2, 2, "2")
    it.effects[3] = Effect("a", 2, A3, 3, "2")


def other_state(it: Evidence) -> None:
    it.chains["a"] = it.chains["b"]


def phantom_on_the_bus(it: Evidence) -> None:
    it.history += poll("second", 8, [event_id(91)])


def phantom_effect(it: Evidence) -> None:
    it.effects.append(Effect("b", 2, event_id(91), 2, "9"))


def inconsistent_offset(it: Evidence) -> None:
    it.history += [op("third", "live", "info"), *poll("third", 1, [A2])]


def log_inversion(it: Evidence) -> None:
    for line in it.history:
        for records in line.get("seen", {}).values():
            for record in records:
                record[1] = {A2: A3, A3: A2}.get(record[1], record[1])


def skipped_poll(it: Evidence) -> None:
    it.history += poll("second", 9, [A3])


def skipped_at_the_start(it: Evidence) -> None:
    it.history += [op("third", "live", "info"), *poll("third", 12, [A3])]


def skipped_inside(it: Evidence) -> None:
    it.history += [
        op("second", "poll", "invoke", seen={"0": [[8, A3], [10, A3]]}),
        op("second", "poll", "ok"),
    ]


def skipped_by_all(it: Evidence) -> None:
    it.committed = {0: 8, 1: 3}


def non_monotonic_poll(it: Evidence) -> None:
    it.history += poll("second", 5, [X1])


def moved_back(it: Evidence) -> None:
    it.history += offset("first", 4)


def moved_back_at_the_end(it: Evidence) -> None:
    it.committed = {0: 4}


def unearned(it: Evidence) -> None:
    it.history += [op("second", "poll", "invoke", seen={"0": [[8, A3]]}), *offset("second", 9)]


def parked_in_disorder(it: Evidence) -> None:
    it.parked[1:] = [
        Parked(2, "x", X3, "BEHIND_PARKED_EVENT", "replayed"),
        Parked(3, "x", X2, "BEHIND_PARKED_EVENT", "replayed"),
    ]


def parked_behind_nothing(it: Evidence) -> None:
    del it.parked[0]


def parked_twice(it: Evidence) -> None:
    it.parked.insert(1, Parked(1, "x", X1, "The event cannot be read", "discarded"))


def left_parked(it: Evidence) -> None:
    it.parked[2] = Parked(3, "x", X3, "BEHIND_PARKED_EVENT", "parked")


def poison_applied(it: Evidence) -> None:
    it.parked.clear()


def innocent_parked(it: Evidence) -> None:
    it.parked.append(Parked(4, "b", B1, "DEADLINE_EXCEEDED", "replayed"))


def never_marked(it: Evidence) -> None:
    it.unpublished = 3


@pytest.mark.parametrize(
    ("doctor", "kind"),
    [
        (lost_commit, "lost-commit"),
        (aborted_write, "aborted-write"),
        (outbox_order, "outbox-order"),
        (lost_on_the_way, "lost-write"),
        (lost_effect, "lost-write"),
        (aborted_read, "aborted-read"),
        (duplicate_effect, "duplicate-effect"),
        (reorder, "reorder"),
        (other_state, "state-mismatch"),
        (phantom_on_the_bus, "phantom"),
        (phantom_effect, "phantom"),
        (inconsistent_offset, "inconsistent-offset"),
        (log_inversion, "log-inversion"),
        (skipped_poll, "skipped-poll"),
        (skipped_at_the_start, "skipped-poll"),
        (skipped_inside, "skipped-poll"),
        (skipped_by_all, "skipped-poll"),
        (non_monotonic_poll, "non-monotonic-poll"),
        (moved_back, "offset-moved-back"),
        (moved_back_at_the_end, "offset-moved-back"),
        (unearned, "unearned-commit"),
        (parked_in_disorder, "parked-order"),
        (parked_behind_nothing, "parked-order"),
        (parked_twice, "parked-twice"),
        (left_parked, "still-parked"),
        (poison_applied, "poison-not-parked"),
        (innocent_parked, "parked-innocent"),
        (never_marked, "unpublished"),
    ],
)
def test_a_doctored_history_is_found_out(
    sound: Evidence, doctor: Callable[[Evidence], None], kind: str
) -> None:
    doctored = copy.deepcopy(sound)
    doctor(doctored)
    assert kind in check(doctored).kinds()
