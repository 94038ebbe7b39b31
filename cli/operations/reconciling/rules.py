"""What must agree between the ledgers of a day. Every rule names the ids that break it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from cli.operations.reconciling.facts import Day, Difference, Line, MadeLicence, Report

IN_FORCE_ONCE = frozenset({"valid", "suspended", "expired", "replaced", "revoked", "forfeited"})
"""States that only a sealed licence reaches."""
CHANNELS = ("inbox", "sms")
DONE = frozenset({"sent", "delivered"})
ALL = "-"
Found = Iterator[tuple[str, str, str, str]]
"""Kind of difference, county, type, id."""


def judge(day: Day) -> Report:
    """Return the comparison of every pair of ledgers and every difference, sorted."""
    grouped: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for rule in RULES:
        for kind, county, type_code, named in rule(day):
            grouped[kind, county, type_code].add(named)
    differences = tuple(Difference(*key, tuple(sorted(ids))) for key, ids in sorted(grouped.items()))
    opened = sum(each.opened for each in day.documents.values())
    return Report(day.window, tuple(_lines(day)), differences, opened)


def each_approval_has_one_licence(day: Day) -> Found:
    """Intake and registry: one licence per approved part, none without."""
    made = Counter(each.part_id for each in day.licences)
    for part in day.parts.values():
        if not made[part.part_id]:
            yield "PART_WITHOUT_LICENCE", part.county, part.type_code, part.part_id
    for each in day.licences:
        if each.part_id not in day.parts and each.part_id not in day.other_parts:
            yield "LICENCE_WITHOUT_PART", each.county, each.type_code, each.licence_id
        if made[each.part_id] > 1:
            yield "PART_WITH_SEVERAL_LICENCES", each.county, each.type_code, each.licence_id


def each_licence_is_what_its_part_says(day: Day) -> Found:
    """Intake and registry: county and type are those that were approved, and the case knows its licence."""
    for each in day.licences:
        part = day.parts.get(each.part_id)
        if part is None:
            continue
        if (part.county, part.type_code) != (each.county, each.type_code):
            yield "LICENCE_OF_OTHER_KIND", each.county, each.type_code, each.licence_id
        if each.status in IN_FORCE_ONCE and part.licence_id != each.licence_id:
            yield "LICENCE_NOT_TOLD_TO_CASE", each.county, each.type_code, each.licence_id


def each_licence_in_force_is_sealed(day: Day) -> Found:
    """Registry and seal ledger: no licence in force without its seal use and its sealed file."""
    uses = {use.licence_id: use for use in day.uses}
    for each in day.licences:
        use = uses.get(each.licence_id)
        where = each.county, each.type_code, each.licence_id
        if each.status == "pending_seal":
            yield "LICENCE_WAITING_FOR_SEAL", *where
        elif each.status in IN_FORCE_ONCE:
            if use is None:
                yield "LICENCE_WITHOUT_SEAL_USE", *where
            elif use.signature_id != each.signature_id:
                yield "LICENCE_WITH_OTHER_SIGNATURE", *where
            if not each.has_file:
                yield "SEALED_FILE_MISSING", *where


def each_seal_use_has_its_document(day: Day) -> Found:
    """Ledger and documents: each use has its document, which holds that very signature."""
    of_licence = {each.licence_id: each for each in day.licences}
    for use in day.uses:
        where = _where(of_licence.get(use.licence_id))
        if use.licence_id not in day.licences_of_uses:
            yield "SEAL_USE_WITHOUT_LICENCE", *where, use.signature_id
        document = day.documents.get(use.signature_id)
        if document is None:
            yield "SEAL_USE_WITHOUT_DOCUMENT", *where, use.signature_id
            continue
        licence = of_licence.get(use.licence_id)
        if licence is not None and licence.sealed_sha256 not in {"", document.sha256}:
            yield "DOCUMENT_OF_LICENCE_DIFFERS", *where, use.signature_id
        if not document.opened:
            continue
        if document.content_sha256 != document.sha256 or document.content_sm3 != use.document_sm3:
            yield "DOCUMENT_NOT_AS_LEDGERED", *where, use.signature_id
        if use.signature_sm3 not in document.signatures_sm3:
            yield "SIGNATURE_NOT_IN_DOCUMENT", *where, use.signature_id
    used = {use.signature_id for use in day.uses}
    for signature_id in day.documents.keys() - used:
        yield "DOCUMENT_WITHOUT_SEAL_USE", ALL, ALL, signature_id


def each_event_is_told_once(day: Day) -> Found:
    """Intake and notify: one message per told event and channel, taken over by a provider once."""
    stored = Counter((each.event_id, each.channel) for each in day.messages)
    for event in day.events.values():
        if event.told:
            for channel in CHANNELS if event.has_phone else CHANNELS[:1]:
                if not stored[event.event_id, channel]:
                    yield f"MESSAGE_MISSING_{channel.upper()}", ALL, event.name, event.event_id
    for each in day.messages:
        if stored[each.event_id, each.channel] > 1:
            yield "MESSAGE_TWICE", ALL, ALL, each.message_id
        known = each.event_id in day.events or each.event_id in day.kept_events
        if day.retained and not known:
            yield "MESSAGE_WITHOUT_EVENT", ALL, ALL, each.message_id
        if each.channel == "sms" and each.state in DONE and each.attempts_taken == 0:
            yield "MESSAGE_WITHOUT_ATTEMPT", ALL, ALL, each.message_id
        if each.channel == "sms" and each.attempts_taken > 1:
            yield "MESSAGE_TAKEN_TWICE", ALL, ALL, each.message_id


def each_event_was_heard(day: Day) -> Found:
    """Outboxes and inboxes: every event was heard, and nothing that nobody published."""
    for service, names in day.consumed.items():
        for event in day.events.values():
            if event.name in names and event.event_id not in day.heard[service]:
                yield f"EVENT_NOT_HEARD_BY_{service.upper()}", ALL, event.name, event.event_id
        if day.retained:
            for event_id in day.heard_then[service] - day.kept_events:
                yield f"EVENT_UNKNOWN_HEARD_BY_{service.upper()}", ALL, ALL, event_id


RULES: tuple[Callable[[Day], Found], ...] = (
    each_approval_has_one_licence,
    each_licence_is_what_its_part_says,
    each_licence_in_force_is_sealed,
    each_seal_use_has_its_document,
    each_event_is_told_once,
    each_event_was_heard,
)


def _where(licence: MadeLicence | None) -> tuple[str, str]:
    return (licence.county, licence.type_code) if licence else (ALL, ALL)


def _lines(day: Day) -> Iterator[Line]:
    """Yield the comparisons by count and digest: per county and licence type, then per kind of event."""
    ours = [each for each in day.licences if each.part_id not in day.other_parts]
    yield from _compared(
        ("intake.parts", "certs.licences"),
        ((part.county, part.type_code, part.part_id) for part in day.parts.values()),
        ((each.county, each.type_code, each.part_id) for each in ours),
    )
    place = {each.licence_id: (each.county, each.type_code) for each in day.licences}
    yield from _compared(
        ("certs.sealed", "seal.ledger"),
        (
            (each.county, each.type_code, each.licence_id)
            for each in day.licences
            if each.status in IN_FORCE_ONCE
        ),
        ((*place.get(use.licence_id, (ALL, ALL)), use.licence_id) for use in day.uses),
    )
    told = {each.event_id: each.name for each in day.events.values() if each.told}
    yield from _compared(
        ("intake.told", "notify.inbox"),
        ((ALL, name, event_id) for event_id, name in told.items()),
        (
            (ALL, told.get(each.event_id, ALL), each.event_id)
            for each in day.messages
            if each.channel == "inbox" and (each.event_id in told or each.event_id not in day.kept_events)
        ),
    )


def _compared(
    ledgers: tuple[str, str], left: Iterable[tuple[str, str, str]], right: Iterable[tuple[str, str, str]]
) -> Iterator[Line]:
    sides: tuple[dict[tuple[str, str], list[str]], ...] = (defaultdict(list), defaultdict(list))
    for side, entries in zip(sides, (left, right), strict=True):
        for county, type_code, named in entries:
            side[county, type_code].append(named)
    for key in sorted(sides[0].keys() | sides[1].keys()):
        ids = [sorted(side.get(key, [])) for side in sides]
        digests = [hashlib.sha256("\n".join(each).encode()).hexdigest() for each in ids]
        yield Line(ledgers, *key, (len(ids[0]), len(ids[1])), (digests[0], digests[1]))
