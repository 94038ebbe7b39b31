"""Metrics of a process as such: its bounded queues, its answers, the age of what it was given.

Memory, processor time and open files come from the Prometheus client itself (``process_*``).
"""

from __future__ import annotations

from chassis.errors import declared
from chassis.telemetry import counter, gauge, histogram

QUEUE_IN_USE = gauge("queue_in_use", "Places of a bounded queue that are taken", ["pool"])
QUEUE_LIMIT = gauge("queue_limit", "Places that a bounded queue has", ["pool"])
POOL_WAIT_SECONDS = histogram("pool_wait_seconds", "Time until a database connection was free")
POOL_TIMEOUTS = counter("pool_timeouts", "Times no database connection could be had")
TRANSACTION_SECONDS = histogram("transaction_seconds", "Time from begin to commit or roll-back")

RPC_REFUSALS = counter("rpc_server_errors", "Calls answered with an error", ["method", "reason"])
HTTP_REFUSALS = counter("http_server_errors", "Requests answered with an error", ["route", "reason"])
CALLED_SECONDS = histogram(
    "rpc_client_seconds", "Time until a peer answered, retries included", ["peer", "status"]
)

LOOP_LAG_SECONDS = gauge("event_loop_lag_seconds", "How late the event loop was at the last look")
READY = gauge("ready", "Whether the process may be sent work, 1 or 0")
TLS_DAYS_LEFT = gauge(
    "tls_certificate_days_left", "Days until the own certificate or its authority ends", known=False
)
FIELD_KEY_AGE_DAYS = gauge("field_key_age_days", "Days since the active field key was made", known=False)
DISK_FREE_RATIO = gauge("disk_free_ratio", "Free share of the file system of the data directory", known=False)
BACKUP_AGE_SECONDS = gauge(
    "backup_age_seconds", "Age of the last good backup; not a number where none is told of", known=False
)
MEASURE_FAILURES = counter("measure_failures", "Measurements that failed; gauges are old then", ["kind"])

OTHER = "OTHER"


def bounded(reason: str) -> str:
    """Return a reason code that is declared here, else OTHER: what a peer says is no label."""
    if not _known:
        _known.update(each.code for each in declared())
    if reason not in _known:
        _known.update(each.code for each in declared())  # modules may have come since
    return reason if reason in _known else OTHER


_known: set[str] = set()
