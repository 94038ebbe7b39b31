"""What must hold of the main job when a run of the four services has come to rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from services.certs.domain.status import LicenceStatus
from services.intake.domain.cases.case import Case, CaseState
from services.notify.domain.message import MessageState
from services.notify.domain.template import Channel
from services.seal.domain.ledger import GENESIS, Head, follow
from tests.simulator import invariants
from tests.simulator.choreography import SERVICES, Choreography
from tests.simulator.services.seal import digest


def check(run: Choreography) -> Iterator[str]:
    """Yield everything that does not hold."""
    servers = {name: run.server(name) for name in SERVICES}
    for name, server in servers.items():
        yield from invariants.outbox_in_order(server)
        yield from invariants.parked_with_cause(server, _unreadable_or_killed)
        yield from invariants.each_event_once(servers.values(), server, run.heard[name], name=name)
    yield from invariants.bus_in_order(run.bus)
    yield from _cases(run)
    yield from _licences(run)
    yield from _ledger(run)
    yield from _messages(run)
    yield from _watchers(run)


def _rows(run: Choreography, service: str, table: str) -> dict[Any, Any]:
    return {key: row["kept"] for key, row in run.server(service).tables[table].items()}


def _events(run: Choreography, service: str, kind: str) -> Counter[str]:
    found = run.server(service).tables["event_log"].values()
    return Counter(row["aggregate_id"] for row in found if row["type"] == f"{service}.{kind}.v1")


def _cases(run: Choreography) -> Iterator[str]:
    archived, told = _rows(run, "intake", "archive"), _events(run, "intake", "CaseArchived")
    for case in _rows(run, "intake", "case").values():
        if case.state not in (CaseState.CLOSED, CaseState.WITHDRAWN):
            yield f"{case.case_id} is {case.state} for ever"
        elif case.state is CaseState.CLOSED and (case.case_id not in archived or told[case.case_id] != 1):
            yield f"{case.case_id} is closed and not archived once"


def _approved(run: Choreography) -> dict[str, Case]:
    cases = _rows(run, "intake", "case").values()
    return {
        part.part_id: case for case in cases for part in case.parts if part.approved and part.item.product
    }


def _licences(run: Choreography) -> Iterator[str]:
    licences, of_part = _rows(run, "certs", "licence"), _rows(run, "certs", "licence_of_part")
    made, issued = _events(run, "certs", "LicenceMade"), _events(run, "certs", "LicenceIssued")
    if set(of_part) != set(_approved(run)):
        yield f"approved were {sorted(_approved(run))}, licences were made for {sorted(of_part)}"
    for licence_id, licence in licences.items():
        if licence.status is not LicenceStatus.VALID:
            yield f"the licence of {licence.part_id} is {licence.status}"
        if (made[licence_id], issued[licence_id]) != (1, 1):
            yield f"the licence of {licence.part_id} was made {made[licence_id]} and issued {issued[licence_id]} times"
        result = _approved(run).get(licence.part_id)
        if result and getattr(result.part(licence.part_id).licence, "licence_id", "") != licence_id:
            yield f"{licence.part_id} does not have its licence"


def _ledger(run: Choreography) -> Iterator[str]:
    """One row for each signature that ever left, chained without a hole, and nothing left without a row."""
    uses = [use for _, use in sorted(_rows(run, "seal", "seal_use").items())]
    _, broken = follow(Head(0, GENESIS), uses, digest)
    if broken is not None:
        yield f"the ledger's chain breaks at row {broken}"
    documents = _rows(run, "seal", "sealed_document")
    sealed = Counter(use.entry.licence_id for use in uses if use.entry.outcome == "sealed")
    if set(sealed.values()) - {1} or len(sealed) != len(documents):
        yield f"{sum(sealed.values())} rows of sealings, {len(documents)} sealed documents"
    kept = {licence.sealing.sealed_sha256 for licence in _rows(run, "certs", "licence").values()}
    if kept != {document.sha256 for document in documents.values()}:
        yield "certs keeps other sealed documents than seal has"
    if _events(run, "seal", "DocumentSealed") != Counter(use.entry.signature_id for use in uses):
        yield "the ledger's rows and DocumentSealed do not agree"


def _messages(run: Choreography) -> Iterator[str]:
    messages = _rows(run, "notify", "message")
    once = Counter((message.source_key, message.channel) for message in messages.values())
    yield from (f"{source} has {count} messages" for source, count in once.items() if count != 1)
    told = _events(run, "notify", "MessageSent") + _events(run, "notify", "MessageFailed")
    arrived: Counter[Any] = Counter()
    for gateway in run.gateways:
        arrived.update(gateway.arrived)
    for message_id, message in messages.items():
        if told[str(message_id)] != 1:
            yield f"of message {message_id} was told {told[str(message_id)]} times"
        if message.channel is not Channel.SMS:
            continue
        if message.state is MessageState.SENT and not arrived[message_id]:
            yield f"message {message_id} counts as sent and never arrived"
        if arrived[message_id] > 1 and not run.world.counts["clock_jumps"]:  # leases are of the wall clock
            yield f"message {message_id} was sent {arrived[message_id]} times"


def _watchers(run: Choreography) -> Iterator[str]:
    """The streams, put together, are the feed: in order, without a gap, nothing twice."""
    feed = _rows(run, "intake", "part_change")
    for watcher in run.watchers:
        yield from (f"watcher of {watcher.department_code}: {wrong}" for wrong in watcher.wrong)
        own = sorted(
            (key[1], each.part_id, each.change)
            for key, each in feed.items()
            if key[0] == watcher.department_code
        )
        if watcher.told != own:
            yield f"watcher of {watcher.department_code} was told {watcher.told}, the feed is {own}"


def _unreadable_or_killed(row: dict[str, Any]) -> bool:
    return row["body"] == b"{" or row["cause"] == "PROCESS_ENDED"
