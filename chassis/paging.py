"""Page tokens of lists that are read newest first: the place of the last line seen, and nothing else."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime

from chassis.errors import FIELD_MALFORMED, Violation

TOKEN_LIMIT = 200
"""Characters; ours have about 90."""

Place = tuple[datetime, str]
"""When the line was written, aware, and its id, a UUID."""


def page_token(place: Place) -> str:
    """Return the token of the page after a place."""
    return base64.urlsafe_b64encode(f"{place[0].isoformat()}|{place[1]}".encode()).decode()


def read_page_token(token: str) -> Place | None:
    """Return the place of a token, None for no token. Raises ValueError for any other text."""
    if not token:
        return None
    if len(token) > TOKEN_LIMIT:
        raise ValueError(token[:TOKEN_LIMIT])
    moment, _, name = base64.b64decode(token.encode("ascii"), b"-_", validate=True).decode().partition("|")
    place = datetime.fromisoformat(moment)
    if place.tzinfo is None or str(uuid.UUID(name)) != name:
        raise ValueError(name)
    try:
        return place.astimezone(UTC), name
    except OverflowError as problem:
        raise ValueError(moment) from problem


def page_token_mistakes(token: str, field: str = "page_token") -> list[Violation]:
    """Return what is wrong with a token, as said of its field: nothing, or that it is malformed."""
    try:
        read_page_token(token)
    except ValueError:
        return [FIELD_MALFORMED.at(field)]
    return []
