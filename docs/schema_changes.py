"""Which changes of an event's JSON schema old consumers would not survive."""  # noqa: INP001 - see code_facts

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def not_additive(before: Schema, after: Schema, path: str = "") -> list[str]:
    """Return what a consumer of the old form loses: a field taken away, made optional or of another shape."""
    found = _shape_changes(before, after, path or "the event")
    old, new = before.get("properties", {}), after.get("properties", {})
    required_before, required_after = set(before.get("required", ())), set(after.get("required", ()))
    for name in old:
        place = f"{path}.{name}".lstrip(".")
        if name not in new:
            found.append(f"{place} is gone")
            continue
        if name in required_before and name not in required_after:
            found.append(f"{place} is no longer always there")
        found += not_additive(old[name], new[name], place)
    found += [
        f"{path}.{name}".lstrip(".") + " is required and new: stored events lack it"
        for name in sorted(required_after - set(old))
    ]
    for name, definition in before.get("$defs", {}).items():
        if name in after.get("$defs", {}):
            found += not_additive(definition, after["$defs"][name], f"{path}.{name}".lstrip("."))
    if "items" in before:
        found += not_additive(before["items"], after.get("items", {}), f"{path}[]")
    return found


def _shape_changes(before: Schema, after: Schema, place: str) -> list[str]:
    found = [
        f"{place}: {key} was {before.get(key)}, is {after.get(key)}"
        for key in ("type", "format", "$ref", "anyOf", "const")
        if before.get(key) != after.get(key)
    ]
    if "enum" in before and not set(before["enum"]) <= set(after.get("enum", before["enum"])):
        found.append(f"{place}: values were taken away")
    return found
