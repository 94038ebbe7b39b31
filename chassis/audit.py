"""No record, no act: what must be recorded is not done when the record cannot be written.

The record is written in the transaction of its act, so both happen or neither. A record that is refused
for good in PostgreSQL's eyes (a missing grant, a quota, a full disk) is an outage in ours: callers are told
to come back, events wait and are applied once the record can be written again; none is parked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from chassis.errors import Kind, declare
from chassis.logs import get_logger

log = get_logger(__name__)
RETRY_AFTER_SECONDS = 5.0

AUDIT_UNWRITABLE = declare(
    "AUDIT_UNWRITABLE",
    Kind.UNAVAILABLE,
    "留痕 {record} 无法写入，操作未执行",
    "The record {record} cannot be written; nothing was done",
)


@contextmanager
def recording(record: str) -> Iterator[None]:
    """Write a record within the block; nothing of the transaction happens if it cannot be written.

    Raises AUDIT_UNWRITABLE for what the server refuses. A violated constraint is a programming error, not
    an outage, and stays what it is.
    """
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError:
        raise
    except asyncpg.PostgresError as problem:
        log.error("audit_unwritable", record=record, sqlstate=problem.sqlstate)  # noqa: TRY400 - its text may quote data
        raise AUDIT_UNWRITABLE(record=record, retry_after_seconds=RETRY_AFTER_SECONDS) from problem
