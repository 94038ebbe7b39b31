"""What another registry says, read part by part: a text, a number, a moment or a day that we could say ourselves.

Whoever signs may write any JSON. What no database takes or no calendar has is refused here, and nowhere else raised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from chassis.errors import Kind, declare

CODE_LIMIT = 64
MOST = 2**53 - 1
"""The largest whole number that every JSON reader keeps."""
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
"""What is no text of PostgreSQL, or of UTF-8."""

MESSAGE_MALFORMED = declare(
    "MESSAGE_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "副本消息格式有误：{part}",
    "The replica message cannot be read: {part}",
)


def text(found: object, part: str, limit: int = CODE_LIMIT) -> str:
    """Return a text of at most so many characters. Raises MESSAGE_MALFORMED."""
    if not isinstance(found, str) or len(found) > limit or _UNWRITABLE.search(found):
        raise MESSAGE_MALFORMED(part=part)
    return found


def number(found: object, part: str, *, least: int = 0, most: int = MOST) -> int:
    """Return a whole number within bounds. Raises MESSAGE_MALFORMED."""
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise MESSAGE_MALFORMED(part=part)
    return found


def moment(found: object, part: str) -> datetime:
    """Return a moment in UTC; one whose zone leads out of the calendar is none. Raises MESSAGE_MALFORMED."""
    try:
        said = datetime.fromisoformat(text(found, part))
        if said.tzinfo is not None:
            return said.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise MESSAGE_MALFORMED(part=part)


def day(found: object, part: str) -> date:
    """Return a day of the calendar. Raises MESSAGE_MALFORMED."""
    try:
        return date.fromisoformat(text(found, part))
    except (ValueError, OverflowError):
        raise MESSAGE_MALFORMED(part=part) from None


def mapping(found: object, part: str) -> Mapping[str, Any]:
    """Return an object of JSON. Raises MESSAGE_MALFORMED."""
    if not isinstance(found, dict):
        raise MESSAGE_MALFORMED(part=part)
    return found


def items(found: object, part: str, most: int) -> list[Any]:
    """Return an array of JSON with at most so many elements. Raises MESSAGE_MALFORMED."""
    if not isinstance(found, list) or len(found) > most:
        raise MESSAGE_MALFORMED(part=part)
    return found
