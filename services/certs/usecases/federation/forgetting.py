"""Forget what other registries were told long ago and what nobody needs any more.

1. Of the numbers of messages: those about a licence of which two later messages were sent. Such a message says
   nothing but that it was overtaken; whoever still asks for it gets its place filled, so no answer of the other
   registry is waited for. The last two about a licence stay: the next message follows the one and names the other.
2. Of uses: those that their registry has confirmed. What it was not told of stays, however old.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.certs.usecases.federation.ports import Outgoing, Replica

ROWS = 2_000
"""Rows looked at in one transaction."""


@dataclass(slots=True)
class Walk:
    """How far a walk over everything has come; where it ends it begins anew."""

    left: list[str] | None = None
    """Registries whose numbers are still to be looked at; None before the walk begins."""
    ordinal: int = 0
    usage_id: UUID | None = field(default=UUID(int=0))


async def forget(
    outgoing: Outgoing, replica: Replica, walk: Walk, before: datetime, rows: int = ROWS
) -> Walk | None:
    """Look at the next rows; return how far the walk is then, None at its end. ``before`` is what is old enough."""
    left = await outgoing.recipients() if walk.left is None else walk.left
    ordinal: int | None = 0
    if left:
        ordinal = await outgoing.forget_overtaken(left[0], walk.ordinal, before, rows)
    if ordinal is None:
        left, ordinal = left[1:], 0
    usage_id = walk.usage_id
    if usage_id is not None:
        usage_id = await replica.forget_paid(usage_id, before, rows)
    return Walk(left, ordinal, usage_id) if left or usage_id is not None else None
