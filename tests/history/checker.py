"""Finds what must not be in a history of outbox, broker and inbox, in the manner of Jepsen's Kafka checks.

Pure: it reads the recorded operations and the final tables, nothing else. Each anomaly has a hand-made
history in ``test_checker.py`` that it must find.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

from tests.history.recording import Op
from tests.history.workload import chain_of

SHOWN = 5
"""So many examples of one anomaly are told."""


@dataclass(frozen=True, slots=True)
class Outboxed:
    """A row of the outbox: what was committed."""

    event_id: str
    key: str
    version: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect; ``nth`` counts those of its key."""

    key: str
    nth: int
    event_id: str
    version: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Parked:
    """A dead letter, in the order of its number."""

    number: int
    key: str
    event_id: str
    cause: str
    state: str


@dataclass(frozen=True, slots=True)
class Injected:
    """A record no outbox wrote. ``fate``: ``parked``, ``ignored`` or ``applied``."""

    event_id: str
    key: str
    version: int
    fate: str


@dataclass(slots=True)
class Evidence:
    """All that a run left behind."""

    history: list[Op]
    outbox: list[Outboxed]
    effects: list[Effect]
    chains: dict[str, str]
    parked: list[Parked] = field(default_factory=list)
    injected: list[Injected] = field(default_factory=list)
    committed: dict[int, int] = field(default_factory=dict)
    """The group's final offset of each partition."""
    unpublished: int = 0


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One thing that must not be."""

    kind: str
    what: str

    def __str__(self) -> str:
        """Say both."""
        return f"{self.kind}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker found, and the counts that a summary tells."""

    anomalies: list[Anomaly]
    counts: dict[str, int]

    def kinds(self) -> set[str]:
        """Return the kinds of anomalies found."""
        return {anomaly.kind for anomaly in self.anomalies}


def check(evidence: Evidence) -> Verdict:
    """Return every anomaly in the evidence; at most a few examples of each kind."""
    found: list[Anomaly] = []
    shown: Counter[str] = Counter()
    log = _Log(evidence.history)
    for rule in (_writes, _log_contents, _effects, _parking, _polls, _offsets):
        for anomaly in rule(evidence, log):
            shown[anomaly.kind] += 1
            if shown[anomaly.kind] <= SHOWN:
                found.append(anomaly)
    return Verdict(found, _counts(evidence, log, shown))


class _Log:
    """The log as the polls saw it, put together from all members."""

    def __init__(self, history: Sequence[Op]) -> None:
        self.records: dict[tuple[int, int], set[str]] = defaultdict(set)
        for op in history:
            if op["what"] == "poll" and op["kind"] == "invoke":
                for partition, records in op["seen"].items():
                    for offset, event_id in records:
                        self.records[int(partition), offset].add(event_id)
        self.order = [min(self.records[place]) for place in sorted(self.records)]
        self.ids = set(self.order)


def _writes(evidence: Evidence, _: _Log) -> Iterator[Anomaly]:
    """A told commit is in the outbox, a rolled-back one is not; unknown ones may be either."""
    kept = {row.nonce for row in evidence.outbox}
    for op in evidence.history:
        if op["what"] != "commit":
            continue
        if op["kind"] == "ok" and op["nonce"] not in kept:
            yield Anomaly("lost-commit", f"{op['nonce']} was told committed and is not in the outbox")
        if op["kind"] == "fail" and op["nonce"] in kept:
            yield Anomaly("aborted-write", f"{op['nonce']} was rolled back and is in the outbox")
    versions: dict[str, list[int]] = defaultdict(list)
    for row in evidence.outbox:
        versions[row.key].append(row.version)
    for key, steps in versions.items():
        if steps != list(range(1, len(steps) + 1)):
            yield Anomaly("outbox-order", f"{key} has versions {steps[:20]} in the order of seq")


def _log_contents(evidence: Evidence, log: _Log) -> Iterator[Anomaly]:
    """The log holds what was committed, first occurrences in order, one record at each offset."""
    for place, ids in sorted(log.records.items()):
        if len(ids) > 1:
            yield Anomaly("inconsistent-offset", f"{place} was {' and '.join(sorted(ids))}")
    outboxed = {row.event_id: row for row in evidence.outbox}
    known = outboxed.keys() | {injected.event_id for injected in evidence.injected}
    for event_id in log.order:
        if event_id not in known and not event_id.startswith("unreadable/"):
            yield Anomaly("phantom", f"{event_id} is on the bus and in no outbox")
    if evidence.unpublished:
        yield Anomaly("unpublished", f"{evidence.unpublished} rows of the outbox were never marked")
    for event_id in outboxed.keys() - log.ids:
        yield Anomaly("lost-write", f"{outboxed[event_id]} never reached a consumer")
    last: dict[str, int] = defaultdict(int)
    for event_id in dict.fromkeys(log.order):
        row = outboxed.get(event_id)
        if row is None:
            continue
        if row.version != last[row.key] + 1:
            yield Anomaly("log-inversion", f"{row.key}: {row.version} first came after {last[row.key]}")
        last[row.key] = max(last[row.key], row.version)
    told: dict[int, list[int]] = defaultdict(list)
    for partition, offset in log.records:
        told[partition].append(offset)
    for partition, end in evidence.committed.items():
        missing = set(range(end)) - set(told[partition])
        if missing:
            examples = sorted(missing)[:SHOWN]
            yield Anomaly(
                "skipped-poll", f"{len(missing)} offsets of {partition} were never polled: {examples}"
            )


def _effects(evidence: Evidence, _: _Log) -> Iterator[Anomaly]:
    """Every committed event has one effect, in order; nothing else has any."""
    wanted: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in evidence.outbox:
        wanted[row.key].append((row.event_id, row.version))
    for record in evidence.injected:
        if record.fate == "applied":
            wanted[record.key].append((record.event_id, record.version))
    had: dict[str, list[Effect]] = defaultdict(list)
    for effect in sorted(evidence.effects, key=lambda effect: (effect.key, effect.nth)):
        had[effect.key].append(effect)
    nonces = {row.nonce for row in evidence.outbox}
    aborted = {op["nonce"] for op in evidence.history if op["what"] == "commit" and op["kind"] == "fail"}
    for key in wanted.keys() | had.keys():
        events, effects = wanted[key], had[key]
        ids = [event_id for event_id, _ in events]
        yield from _effects_of(key, ids, effects, aborted - nonces)
        versions = [effect.version for effect in effects]
        if versions != sorted(versions):
            at = next(n for n, pair in enumerate(pairwise(versions)) if pair[0] > pair[1])
            yield Anomaly("reorder", f"{key}: effects of versions {versions[max(0, at - 2) : at + 4]}")
        expected = chain_of([(UUID(event_id), version) for event_id, version in events])
        if evidence.chains.get(key, "") != expected:
            yield Anomaly("state-mismatch", f"{key}: the chain is not that of {len(events)} events in order")


def _effects_of(key: str, ids: list[str], effects: list[Effect], aborted: set[str]) -> Iterator[Anomaly]:
    times = Counter(effect.event_id for effect in effects)
    for event_id in ids:
        if not times[event_id]:
            yield Anomaly("lost-write", f"{key}: {event_id} has no effect")
    for event_id, count in times.items():
        if count > 1:
            yield Anomaly("duplicate-effect", f"{key}: {event_id} has {count} effects")
    for effect in effects:
        if effect.nonce in aborted:
            yield Anomaly("aborted-read", f"{key}: {effect.event_id} of the rolled-back {effect.nonce}")
        elif effect.event_id not in ids:
            yield Anomaly("phantom", f"{key}: {effect.event_id} has an effect and was never committed")


def _parking(evidence: Evidence, log: _Log) -> Iterator[Anomaly]:
    """Poison is parked, once; what is behind it is parked in the order of the log; all ends resolved."""
    by_key: dict[str, list[Parked]] = defaultdict(list)
    for letter in sorted(evidence.parked, key=lambda letter: letter.number):
        by_key[letter.key].append(letter)
    first_seen = {event_id: nr for nr, event_id in reversed(list(enumerate(log.order)))}
    for key, letters in by_key.items():
        places = [first_seen[each.event_id] for each in letters if each.event_id in first_seen]
        if places != sorted(places):
            yield Anomaly("parked-order", f"{key}: parked in another order than that of the log")
        if letters[0].cause == "BEHIND_PARKED_EVENT":
            yield Anomaly("parked-order", f"{key}: its first parked event has nothing before it")
        for event_id, count in Counter(each.event_id for each in letters).items():
            if count > 1:
                yield Anomaly("parked-twice", f"{key}: {event_id} was parked {count} times")
        if any(each.state == "parked" for each in letters):
            yield Anomaly("still-parked", f"{key} was not freed by the operator")
    for record in evidence.injected:
        if record.fate == "parked" and record.key not in by_key:
            yield Anomaly("poison-not-parked", f"{record.key} had an unreadable record")
    culprits = {record.key for record in evidence.injected if record.fate == "parked"}
    culprits |= {op["key"] for op in evidence.history if op["what"] == "poison"}
    for key in by_key.keys() - culprits:
        yield Anomaly("parked-innocent", f"{key}: parked for {by_key[key][0].cause}")


def _polls(evidence: Evidence, _: _Log) -> Iterator[Anomaly]:
    """Within an assignment polls go on where the last one ended; none starts beyond what was committed."""
    following: dict[tuple[str, int], set[int]] = {}
    running: dict[str, dict[int, int]] = {}
    committed: dict[int, int] = defaultdict(int)
    for op in evidence.history:
        process, firsts = op["process"], running.get(op["process"], {})
        if op["what"] in {"assign", "live"}:
            for place in [place for place in following if place[0] == process]:
                if op["what"] == "live" or place[1] in op["partitions"]:
                    del following[place]
        elif op["what"] == "offset":
            for name, offset in op["offsets"].items():
                committed[int(name)] = max(committed[int(name)], offset)
                if op["kind"] == "info" and (process, int(name)) in following:
                    # Whether it was committed is unknown: the batch may come again.
                    following[process, int(name)].add(firsts.get(int(name), 0))
        elif op["what"] == "poll" and op["kind"] == "invoke":
            seen = {int(name): [offset for offset, _ in records] for name, records in op["seen"].items()}
            for partition, offsets in seen.items():
                expected = following.get((process, partition))
                yield from _poll(f"{process} at {partition}", offsets, expected, committed[partition])
                following[process, partition] = {offsets[-1] + 1}
            running[process] = {partition: offsets[0] for partition, offsets in seen.items()}
        elif op["what"] == "poll" and op["kind"] == "fail":
            following.update({(process, partition): {first} for partition, first in firsts.items()})


def _poll(place: str, offsets: list[int], expected: set[int] | None, committed: int) -> Iterator[Anomaly]:
    first = offsets[0]
    if offsets != list(range(first, first + len(offsets))):
        yield Anomaly("skipped-poll", f"{place}: a batch with holes from {first} on")
    if expected is None:
        if first > committed:
            yield Anomaly("skipped-poll", f"{place}: began at {first}, committed was {committed}")
    elif first > max(expected):
        yield Anomaly("skipped-poll", f"{place}: {first} where {max(expected)} follows")
    elif first not in expected:
        yield Anomaly("non-monotonic-poll", f"{place}: {first} again, {max(expected)} follows")


def _offsets(evidence: Evidence, _: _Log) -> Iterator[Anomaly]:
    """The group's offsets never go back, and never ahead of what was applied."""
    applied: dict[int, set[int]] = defaultdict(set)
    running: dict[str, dict[str, list[list[object]]]] = {}
    started: dict[str, dict[int, int]] = {}
    high: dict[int, int] = defaultdict(int)
    for op in evidence.history:
        process = op["process"]
        if op["what"] == "poll":
            if op["kind"] == "invoke":
                running[process] = op["seen"]
            elif op["kind"] == "ok":
                for partition, records in running.get(process, {}).items():
                    applied[int(partition)].update(int(str(offset)) for offset, _ in records)
        elif op["what"] == "offset" and op["kind"] == "invoke":
            started[process] = {int(name): high[int(name)] for name in op["offsets"]}
            for name, offset in op["offsets"].items():
                if not applied[int(name)].issuperset(range(offset)):
                    yield Anomaly(
                        "unearned-commit", f"{process} commits {offset} of {name} before its effects"
                    )
        elif op["what"] == "offset" and op["kind"] == "ok":
            for name, offset in op["offsets"].items():
                before = started.get(process, {}).get(int(name), 0)
                if offset < before:
                    yield Anomaly("offset-moved-back", f"{process} moved {name} from {before} to {offset}")
                high[int(name)] = max(high[int(name)], offset)
    for place, end in evidence.committed.items():
        if end < high[place]:
            yield Anomaly("offset-moved-back", f"{place} ends at {end}, {high[place]} was committed")


def _counts(evidence: Evidence, log: _Log, shown: Counter[str]) -> dict[str, int]:
    outcomes = Counter(op["kind"] for op in evidence.history if op["what"] == "commit")
    outboxed = {row.event_id for row in evidence.outbox}
    received = [event_id for event_id in log.order if event_id in outboxed]
    deliveries = sum(_size(op) for op in evidence.history if op["what"] == "poll" and op["kind"] == "invoke")
    return {
        "sent": len(evidence.outbox),
        "acknowledged": outcomes["ok"],
        "unknown": outcomes["invoke"] - outcomes["ok"] - outcomes["fail"],
        "rolled_back": outcomes["fail"],
        "received": len(received),
        "distinct": len(set(received)),
        "duplicates": len(received) - len(set(received)),
        "redelivered": deliveries - len(log.order),
        "missing": len(outboxed - log.ids) + _count(shown, "lost-write"),
        "inversions": _count(shown, "log-inversion", "reorder"),
        "doubled": _count(shown, "duplicate-effect"),
        "parked": len(evidence.parked),
        "refused_commits": sum(op["what"] == "offset" and op["kind"] == "fail" for op in evidence.history),
        "rebalances": sum(op["what"] == "assign" for op in evidence.history),
    }


def _count(shown: Counter[str], *kinds: str) -> int:
    return sum(shown[kind] for kind in kinds)


def _size(op: Op) -> int:
    return sum(map(len, op["seen"].values()))


def describe(anomalies: Iterable[Anomaly]) -> str:
    """Return one line for each anomaly."""
    return "\n".join(f"  {anomaly}" for anomaly in anomalies)
