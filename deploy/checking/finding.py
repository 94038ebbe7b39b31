"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether it is in order, what was found, and what to do if it is not."""

    name: str
    ok: bool
    found: str
    zh: str = ""
    en: str = ""
