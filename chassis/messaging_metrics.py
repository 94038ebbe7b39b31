"""Metrics of messaging, by service, topic and event type only: a key or an id would make them endless and personal."""

from __future__ import annotations

from chassis.event import declared_events
from chassis.telemetry import counter, gauge, histogram

_OF = ["service"]
_OF_TOPIC = ["service", "topic"]

EVENTS_COMMITTED = counter(
    "events_committed", "Events that became true, by type: the pulse of the business", ["event_type"]
)

OUTBOX_PENDING = gauge("outbox_pending", "Events not yet on the bus", _OF)
OUTBOX_OLDEST_SECONDS = gauge("outbox_oldest_seconds", "Age of the oldest event not yet on the bus", _OF)
OUTBOX_HELD = gauge("outbox_held", "Events the bus refused and that wait for an operator", _OF)
RELAY_PUBLISHED = counter("relay_published", "Events the bus acknowledged", _OF)
RELAY_FAILURES = counter("relay_failures", "Batches the relay could not send", _OF)
RELAY_REPUBLISHED = counter("relay_republished", "Events sent again because the bus is a new one", _OF)
RELAY_BUS_CHANGES = counter(
    "relay_bus_changes", "Times the bus turned out to be another one (cluster id)", _OF
)

CONSUMED = counter("consumer_events", "Events applied", _OF)
CONSUMER_LAG_EVENTS = gauge("consumer_lag_events", "Events on the bus not yet applied", _OF_TOPIC)
CONSUMER_LAG_SECONDS = gauge("consumer_lag_seconds", "Age of the oldest event not yet applied", _OF_TOPIC)
CONSUMER_MEASURED = gauge(
    "consumer_measured_timestamp_seconds", "When the lag was last measured, seconds since 1970", _OF
)
CONSUMER_ATTEMPTS = counter("consumer_attempts", "Tries of single events after their batch failed", _OF)
CONSUMER_BACKOFFS = counter("consumer_backoffs", "Batches held back because a dependency was away", _OF)
CONSUMER_BATCH_SECONDS = histogram("consumer_batch_seconds", "Time to apply one batch of events", _OF)
INBOX_DUPLICATES = counter("inbox_duplicates", "Deliveries skipped as already seen", _OF)
INBOX_STALE = counter("inbox_stale", "Events skipped as older than the aggregate seen", _OF)
INBOX_GAPS = counter("inbox_gaps", "Jumps in an aggregate's versions", _OF)
INBOX_UNHANDLED = counter("inbox_unhandled", "Events of a type nobody here handles", _OF)
PARKED_KEYS = gauge("parked_keys", "Keys whose events wait for an operator", _OF)
PARKED_OLDEST_SECONDS = gauge("parked_oldest_seconds", "Age of the oldest parked key", _OF)
DEAD_LETTERS = counter("dead_letters", "Events parked", _OF)

BUS_COMMIT_FAILURES = counter("bus_commit_failures", "Offsets the bus refused to store", _OF)
BUS_GROUP_BEHIND = gauge("bus_group_behind", "Partitions whose unread events were deleted by retention", _OF)

_COUNTED = (
    RELAY_PUBLISHED,
    RELAY_FAILURES,
    RELAY_REPUBLISHED,
    RELAY_BUS_CHANGES,
    CONSUMED,
    CONSUMER_ATTEMPTS,
    CONSUMER_BACKOFFS,
    INBOX_DUPLICATES,
    INBOX_STALE,
    INBOX_GAPS,
    INBOX_UNHANDLED,
    DEAD_LETTERS,
    BUS_COMMIT_FAILURES,
)


def announce(service: str) -> None:
    """Have every counter of a service at zero: the first step of a counter that was not there is no increase."""
    for each in _COUNTED:
        each.labels(service)
    BUS_GROUP_BEHIND.labels(service)
    for event in declared_events():
        if event.TYPE.startswith(f"{service}."):
            EVENTS_COMMITTED.labels(event.TYPE)
