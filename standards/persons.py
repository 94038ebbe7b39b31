"""Who somebody is, by what is written of him: two spellings of one name or number are one person."""

from __future__ import annotations

import unicodedata


def named(who: str) -> str:
    """Return the letters and digits of a name or number in the one form that all its spellings share.

    Full-width forms, case, spaces, hyphens and characters that show nothing make no difference. Empty for a
    text that names nobody.
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", who).casefold())
    return "".join(each for each in plain if each.isalnum() and each not in _UNSEEN)


def is_same_person(first: str, second: str) -> bool:
    """Say whether both texts name the same person."""
    return named(first) == named(second)


_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0")
"""Fillers of the Korean script: letters to Unicode, nothing to the eye."""
