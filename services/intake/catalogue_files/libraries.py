"""Shared definitions: an item names a material, a form field or a question by its code.

The entry of an item is laid over the definition of the library, so that a text is written once
and an item may still be stricter, or ask for fewer face fields, than the library says.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.intake.catalogue_files.shapes import Shaper

Library = Mapping[str, Mapping[str, object]]


def library(shaper: Shaper, values: object, key: str, path: str) -> Library:
    """Return the definitions of one file by their key; notes what is no mapping or comes twice."""
    found: dict[str, Mapping[str, object]] = {}
    for position, value in enumerate(values if isinstance(values, list) else []):
        code = value.get(key) if isinstance(value, dict) else None
        if not isinstance(code, str):
            shaper.note(f"{path}: {position}", f"has no {key}")
        elif code in found:
            shaper.note(f"{path}: {position}", f"{code} occurs more than once")
        else:
            found[code] = value
    return found


def laid_over(shaper: Shaper, entries: object, definitions: Library, key: str, path: str) -> object:
    """Return the entries with the definitions they name filled in; an entry is a code or a mapping."""
    if not isinstance(entries, list):
        return entries
    full: list[object] = []
    for position, entry in enumerate(entries):
        own = {key: entry} if isinstance(entry, str) else entry
        if not isinstance(own, dict) or not isinstance(own.get(key), str):
            shaper.note(f"{path}.{position}", f"is neither a code nor a mapping with {key}")
        elif own[key] not in definitions:
            shaper.note(f"{path}.{position}", f"{own[key]} is not defined")
        else:
            full.append({**definitions[own[key]], **own})
    return full
