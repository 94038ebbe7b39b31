"""What must hold after any number of deaths. Each rule returns what breaks it, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tests.chaos.evidence import Evidence

T = TypeVar("T")
NOTICE_CHANNELS = {"sms", "inbox"}
CLOSED = "closed"
DONE = {"sent", "delivered"}


def check(evidence: Evidence) -> list[str]:
    """Return everything that is wrong; empty when every invariant holds."""
    return [problem for rule in RULES for problem in rule(evidence)]


def each_case_was_submitted_once(evidence: Evidence) -> Iterator[str]:
    numbers = Counter(number for number, _ in evidence.cases.values())
    yield from _twice("case number", numbers)
    for case_id, held in evidence.receipts.items():
        if len(held) != 1:
            yield f"case {case_id}: its applicant holds receipts with {len(held)} case numbers"
        elif case_id not in evidence.cases or evidence.cases[case_id][0] not in held:
            yield f"case {case_id}: acknowledged, but not there under its number"
    unasked = evidence.cases.keys() - evidence.receipts.keys()
    yield from (f"case {case_id}: submitted, but nobody holds its receipt" for case_id in sorted(unasked))
    told = Counter(each.key for each in evidence.events("CaseSubmitted"))
    yield from _differ("CaseSubmitted", told, evidence.cases)


def each_case_is_closed_and_archived(evidence: Evidence) -> Iterator[str]:
    for case_id, (_, state) in evidence.cases.items():
        if state != CLOSED:
            yield f"case {case_id}: still {state}"
    yield from (f"case {case_id}: not archived" for case_id in evidence.unarchived)
    for name in ("CaseClosed", "CaseArchived"):
        yield from _differ(name, Counter(each.key for each in evidence.events(name)), evidence.cases)


def each_approval_has_one_licence_in_force(evidence: Evidence) -> Iterator[str]:
    approved = [
        each.body["part_id"]
        for each in evidence.events("PartDecided")
        if each.body["approved"] and each.body["licence_type_code"]
    ]
    yield from _twice("PartDecided for part", Counter(approved))
    yield from _differ("licence of part", Counter(part for _, part, _ in evidence.licences), approved)
    for licence_id, _, status in evidence.licences:
        if status != "valid":
            yield f"licence {licence_id}: {status}"
    ids = [licence_id for licence_id, _, _ in evidence.licences]
    for name in ("LicenceMade", "LicenceIssued"):
        yield from _differ(name, Counter(each.key for each in evidence.events(name)), ids)


def each_licence_was_sealed_once(evidence: Evidence) -> Iterator[str]:
    licences = [licence_id for licence_id, _, _ in evidence.licences]
    of_ofd, of_pdf = (
        Counter(licence for _, licence, _, form in evidence.ledger if form == wanted)
        for wanted in ("ofd", "pdf")
    )
    yield from _differ("ledger row of licence", of_ofd, licences)
    yield from _twice("ledger row of the PDF of licence", of_pdf)  # it follows the licence: maybe not yet
    yield from (
        f"ledger row of the PDF of no licence: {each}" for each in sorted(of_pdf.keys() - {*licences})
    )
    yield from (
        f"ledger: {licence} {outcome}" for _, licence, outcome, _ in evidence.ledger if outcome != "sealed"
    )
    sealed = Counter(each.body["licence_id"] for each in evidence.events("DocumentSealed"))
    yield from _differ("DocumentSealed of licence", sealed, licences)


def each_notice_was_sent_once(evidence: Evidence) -> Iterator[str]:
    told = _events_told(evidence)
    expected = {(f"event:{event_id}", channel) for event_id in told for channel in NOTICE_CHANNELS}
    notices = [each for each in evidence.messages if each[1].startswith("event:")]
    stored = Counter((source, channel) for _, source, channel, _ in notices)
    yield from _twice("message", stored)
    yield from (f"message {source} was never written" for source, _ in sorted(expected - stored.keys()))
    yield from (f"message {source} is of no such event" for source, _ in sorted(stored.keys() - expected))
    yield from (
        f"message {source} on {channel}: {state}"
        for _, source, channel, state in notices
        if state not in DONE
    )
    texts = [
        message_id
        for message_id, _, channel, state in evidence.messages
        if (channel, state) == ("sms", "sent")
    ]
    yield from _differ("text at the provider", Counter(evidence.sent_texts), texts)
    sent = Counter(each.key for each in evidence.events("MessageSent"))
    yield from _differ("MessageSent", sent, [each[0] for each in evidence.messages if each[3] in DONE])


def _events_told(evidence: Evidence) -> list[str]:
    """Return the ids of the events that notify tells; a part that ended without a licence is not told."""
    return [
        each.event_id
        for each in evidence.published
        if each.name in evidence.handled["notify"]
        and not (each.name == "PartCompleted" and not each.body["licence_name"])
    ]


def every_event_reached_the_bus(evidence: Evidence) -> Iterator[str]:
    yield from (
        f"{each.type} of {each.key} v{each.version} is unpublished"
        for each in evidence.published
        if not each.sent
    )
    carried = Counter(each.event_id for each in evidence.carried)
    ids = {each.event_id for each in evidence.published}
    yield from (f"event {each} is not on the bus" for each in sorted(ids - carried.keys()))
    yield from (f"event {each} on the bus was never published" for each in sorted(carried.keys() - ids))
    if not evidence.bus_repeats:
        yield from _twice("event on the bus", carried)


def versions_are_contiguous(evidence: Evidence) -> Iterator[str]:
    versions: dict[tuple[str, str], list[int]] = defaultdict(list)
    for each in evidence.published:
        versions[each.topic, each.key].append(each.version)
    for (topic, key), found in versions.items():
        if sorted(found) != list(range(min(found), min(found) + len(found))):
            yield f"{topic} {key}: versions {found}"


def the_bus_keeps_the_order_of_each_key(evidence: Evidence) -> Iterator[str]:
    last: dict[tuple[str, str], int] = {}
    places: dict[tuple[str, str], int] = {}
    seen: set[str] = set()
    for each in evidence.carried:
        place = each.topic, each.key
        if places.setdefault(place, each.partition) != each.partition:
            yield f"{each.topic} {each.key} lies in two partitions"
        if each.event_id in seen:
            continue
        seen.add(each.event_id)
        if each.version <= last.get(place, 0):
            yield f"{each.topic} {each.key}: v{each.version} after v{last[place]}"
        last[place] = each.version


def each_event_was_heard(evidence: Evidence) -> Iterator[str]:
    ids = {each.event_id for each in evidence.published}
    for service, names in evidence.handled.items():
        heard = Counter(evidence.seen[service])
        yield from _twice(f"inbox row of {service}", heard)
        wanted = {each.event_id for each in evidence.published if each.name in names}
        yield from (f"{service} never heard {each}" for each in sorted(wanted - heard.keys()))
        yield from (f"{service} heard {each}, which nobody published" for each in sorted(heard.keys() - ids))


def nothing_is_parked(evidence: Evidence) -> Iterator[str]:
    yield from (
        f"{service}: {count} dead letters or parked keys" for service, count in evidence.dead.items() if count
    )


RULES: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    each_case_was_submitted_once,
    each_case_is_closed_and_archived,
    each_approval_has_one_licence_in_force,
    each_licence_was_sealed_once,
    each_notice_was_sent_once,
    every_event_reached_the_bus,
    versions_are_contiguous,
    the_bus_keeps_the_order_of_each_key,
    each_event_was_heard,
    nothing_is_parked,
)


def _twice(what: str, counted: Counter[T]) -> Iterator[str]:
    yield from (f"{what} {each} is there {count} times" for each, count in counted.items() if count > 1)


def _differ(what: str, counted: Counter[str], expected: Iterable[str]) -> Iterator[str]:
    """Name what is missing, surplus or repeated of things that belong to each of ``expected`` once."""
    wanted = set(expected)
    yield from _twice(what, counted)
    yield from (f"{what} {each} is missing" for each in sorted(wanted - counted.keys()))
    yield from (f"{what} {each} belongs to nothing" for each in sorted(counted.keys() - wanted))
