"""Moments on the wire: ``google.protobuf.Timestamp`` from and to aware UTC times."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import FIELD_MALFORMED, refuse


def stamp(moment: datetime) -> Timestamp:
    """Return an aware moment as a message."""
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def moment_of(request: Message, field: str) -> datetime | None:
    """Return a moment that a request may name. Raises INVALID_REQUEST where it is none of the calendar."""
    if not request.HasField(field):
        return None
    try:
        moment: datetime = getattr(request, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        refuse([FIELD_MALFORMED.at(field)])
        raise
    return moment
