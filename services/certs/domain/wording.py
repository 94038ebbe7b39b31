"""What people state in their own words: reasons, legal bases, who acted. It has to say something."""

from __future__ import annotations

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Violation
from services.certs.domain.purpose import is_writable, says_something


def stated_violations(at: str, text: str, limit: int, *, required: bool = True) -> list[Violation]:
    """Return what is wrong with a stated text at the field path ``at``; ``limit`` is in characters.

    One without a letter, an ideograph or a digit states nothing, and is refused where it is ``required``.
    """
    if required and not says_something(text):
        return [FIELD_REQUIRED.at(at)]
    if len(text) > limit:
        return [FIELD_TOO_LONG.at(at, limit=limit)]
    return [] if is_writable(text) else [FIELD_MALFORMED.at(at)]
