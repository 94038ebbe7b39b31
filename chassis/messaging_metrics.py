"""Metrics of messaging, labelled by service only: a key or an id would make them endless and personal."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

OUTBOX_PENDING = Gauge("tongban_outbox_pending", "Events not yet on the bus", ["service"])
OUTBOX_OLDEST_SECONDS = Gauge(
    "tongban_outbox_oldest_seconds", "Age of the oldest event not yet on the bus", ["service"]
)
OUTBOX_HELD = Gauge(
    "tongban_outbox_held", "Events the bus refused and that wait for an operator", ["service"]
)
RELAY_PUBLISHED = Counter("tongban_relay_published_total", "Events the bus acknowledged", ["service"])
RELAY_FAILURES = Counter("tongban_relay_failures_total", "Batches the relay could not send", ["service"])
RELAY_REPUBLISHED = Counter(
    "tongban_relay_republished_total", "Events sent again because the bus is a new one", ["service"]
)

CONSUMED = Counter("tongban_consumer_events_total", "Events applied", ["service"])
CONSUMER_LAG_EVENTS = Gauge("tongban_consumer_lag_events", "Events on the bus not yet applied", ["service"])
CONSUMER_LAG_SECONDS = Gauge(
    "tongban_consumer_lag_seconds", "Age of the oldest event not yet applied", ["service"]
)
CONSUMER_BACKOFFS = Counter(
    "tongban_consumer_backoffs_total", "Batches held back because a dependency was away", ["service"]
)
INBOX_DUPLICATES = Counter(
    "tongban_inbox_duplicates_total", "Deliveries skipped as already seen", ["service"]
)
INBOX_STALE = Counter(
    "tongban_inbox_stale_total", "Events skipped as older than the aggregate seen", ["service"]
)
INBOX_GAPS = Counter("tongban_inbox_gaps_total", "Jumps in an aggregate's versions", ["service"])
INBOX_UNHANDLED = Counter(
    "tongban_inbox_unhandled_total", "Events of a type nobody here handles", ["service"]
)
PARKED_KEYS = Gauge("tongban_parked_keys", "Keys whose events wait for an operator", ["service"])
PARKED_OLDEST_SECONDS = Gauge("tongban_parked_oldest_seconds", "Age of the oldest parked key", ["service"])
DEAD_LETTERS = Counter("tongban_dead_letters_total", "Events parked", ["service"])

BUS_COMMIT_FAILURES = Counter(
    "tongban_bus_commit_failures_total", "Offsets the bus refused to store", ["service"]
)
BUS_GROUP_BEHIND = Gauge(
    "tongban_bus_group_behind", "Partitions whose unread events were deleted by retention", ["service"]
)
