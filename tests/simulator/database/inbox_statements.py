"""The statements of the inbox, its counters and the parking place."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType
from typing import Any
from uuid import UUID

from chassis import dead_letters, inbox, inbox_store
from tests.simulator.database.engine import Row, Session
from tests.simulator.database.statements import Answer, answers


def in_function(module: ModuleType, function: str, nth: int = 0) -> str:
    """Return the nth statement that stands in a function of the messaging core, with its constants filled in."""
    tree = next(
        node
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.AsyncFunctionDef) and node.name == function
    )
    docstring = ast.get_docstring(tree, clean=False)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append((node.lineno, "".join(_part(module, part) for part in node.values)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != docstring:
            found.append((node.lineno, node.value))
    verbs = ("select ", "insert ", "update ", "delete ")
    return [text for _, text in sorted(found) if text.lstrip().startswith(verbs) and len(text) > 40][nth]


def _part(module: ModuleType, part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    assert isinstance(part.value, ast.Name)
    return str(getattr(module, part.value.id))


@answers("set local synchronous_commit = off")
async def do_not_wait_for_the_disk(session: Session) -> Answer:
    del session
    return 0


@answers(in_function(inbox_store, "insert_fresh"))
async def insert_fresh(session: Session, consumer: str, event_ids: list[UUID]) -> Answer:
    row = {"at": session.now()}
    return [{"event_id": each} for each in event_ids if await session.insert("inbox", (consumer, each), row)]


@answers(in_function(inbox_store, "known"))
async def known(session: Session, consumer: str, event_ids: list[UUID]) -> Answer:
    return [{"event_id": each} for each in dict.fromkeys(event_ids) if session.get("inbox", (consumer, each))]


def _parked(session: Session, consumer: str, topics: list[str], keys: list[str]) -> list[tuple[str, str]]:
    places = sorted(zip(topics, keys, strict=True))
    return [place for place in places if session.get("parked_key", (consumer, *place))]


@answers(inbox_store._PARKED)
async def parked(session: Session, consumer: str, topics: list[str], keys: list[str]) -> Answer:
    return [{"topic": topic, "key": key} for topic, key in _parked(session, consumer, topics, keys)]


@answers(inbox_store._PARKED_LOCKED)
async def parked_locked(session: Session, consumer: str, topics: list[str], keys: list[str]) -> Answer:
    found = []
    for place in _parked(session, consumer, topics, keys):
        await session.lock("parked_key", (consumer, *place))
        if session.get("parked_key", (consumer, *place)):  # freed while we waited
            found.append({"topic": place[0], "key": place[1]})
    return found


@answers(in_function(inbox_store, "park", 0))
async def park_key(session: Session, consumer: str, topic: str, key: str) -> Answer:
    place = (consumer, topic, key)
    row = {"consumer": consumer, "topic": topic, "key": key, "parked_at": session.now()}
    return int(await session.insert("parked_key", place, row))


@answers(in_function(inbox_store, "park", 1))
async def park_event(session: Session, *values: Any) -> Answer:
    names = (
        "consumer", "topic", "key", "partition", "position", "event_id", "type", "record_key", "headers", "body", "at",
        "cause", "attempts",
    )  # fmt: skip
    number = session.server.next_value("dead_letter")
    row: Row = {"dead_letter_id": number, **dict(zip(names, values, strict=True)), "parked_at": session.now()}
    row |= {"state": "parked", "resolved_at": None, "resolved_by": None, "resolution": None}
    await session.put("dead_letter", number, row)
    return 1


@answers(in_function(inbox_store, "versions"))
async def versions(session: Session, consumer: str, topics: list[str], keys: list[str]) -> Answer:
    found = []
    for topic, key in zip(topics, keys, strict=True):
        row = session.get("seen_version", (consumer, topic, key))
        if row:
            found.append({"topic": topic, "aggregate_id": key, "version": row["version"]})
    return found


@answers(in_function(inbox_store, "save_versions"))
async def save_versions(
    session: Session, consumer: str, topics: list[str], keys: list[str], numbers: list[int]
) -> Answer:
    for topic, key, number in zip(topics, keys, numbers, strict=True):
        await session.put("seen_version", (consumer, topic, key), {"version": number})
    return len(topics)


@answers(in_function(inbox_store, "begin_batch"))
async def begin_batch(
    session: Session, consumer: str, topics: list[str], partitions: list[int], offsets: list[int]
) -> Answer:
    found = []
    for topic, partition, offset in zip(topics, partitions, offsets, strict=True):
        place = (consumer, topic, partition)
        await session.lock("batch_try", place)
        row = session.get("batch_try", place)
        tries = row["tries"] + 1 if row and row["first_offset"] == offset else 1
        await session.put("batch_try", place, {"first_offset": offset, "tries": tries})
        found.append({"tries": tries})
    return found


@answers(in_function(inbox_store, "forget_batch"))
async def forget_batch(session: Session, consumer: str, topics: list[str], partitions: list[int]) -> Answer:
    places = [(consumer, *place) for place in zip(topics, partitions, strict=True)]
    return sum([await session.delete("batch_try", each) for each in places if session.get("batch_try", each)])


@answers(in_function(inbox_store, "count_attempt"))
async def count_attempt(session: Session, consumer: str, event_id: UUID, step: int) -> Answer:
    place = (consumer, event_id)
    await session.lock("delivery_attempt", place)
    row = session.get("delivery_attempt", place)
    attempts = max((row["attempts"] if row else 0) + step, 0)
    await session.put("delivery_attempt", place, {"attempts": attempts, "at": session.now()})
    return [{"attempts": attempts}]


@answers(in_function(inbox_store, "clear_attempts"))
async def clear_attempts(session: Session, consumer: str, event_id: UUID) -> Answer:
    place = (consumer, event_id)
    return (
        int(await session.delete("delivery_attempt", place)) if session.get("delivery_attempt", place) else 0
    )


@answers(in_function(inbox, "measure"))
async def parked_gauges(session: Session, consumer: str) -> Answer:
    found = [row["parked_at"] for key, row in session.rows("parked_key") if key[0] == consumer]
    return [{"keys": len(found), "oldest": min(found, default=None)}]


def _letters(
    session: Session, consumer: str, *, topic: str | None = None, key: str | None = None
) -> list[Row]:
    found = [row for _, row in session.rows("dead_letter") if row["consumer"] == consumer]
    found = [row for row in found if topic in (None, row["topic"]) and key in (None, row["key"])]
    return sorted(found, key=lambda row: row["dead_letter_id"])


def _still_parked(session: Session, consumer: str, topic: str, key: str) -> list[Row]:
    return [row for row in _letters(session, consumer, topic=topic, key=key) if row["state"] == "parked"]


@answers(in_function(dead_letters, "list_keys"))
async def list_keys(session: Session, consumer: str, cause: str | None, limit: int) -> Answer:
    found = [row for key, row in session.rows("parked_key") if key[0] == consumer]
    if cause is not None:
        found = [
            row
            for row in found
            if any(
                each["cause"] == cause for each in _still_parked(session, consumer, row["topic"], row["key"])
            )
        ]
    found.sort(key=lambda row: row["parked_at"])
    return [{"topic": row["topic"], "key": row["key"]} for row in found[:limit]]


@answers(in_function(dead_letters, "show"))
async def show_letters(session: Session, consumer: str, key: str) -> Answer:
    return list(_letters(session, consumer, key=key))


@answers(in_function(dead_letters, "replay"))
async def parked_topics(session: Session, consumer: str, key: str) -> Answer:
    found = sorted(
        row["topic"] for where, row in session.rows("parked_key") if (where[0], where[2]) == (consumer, key)
    )
    return [{"topic": topic} for topic in found]


@answers(in_function(dead_letters, "_first_parked", 0))
async def first_parked(session: Session, consumer: str, topic: str, key: str) -> Answer:
    return _still_parked(session, consumer, topic, key)[:1]


@answers(in_function(dead_letters, "_first_parked", 1))
async def count_parked(session: Session, consumer: str, topic: str, key: str) -> Answer:
    return [{"count": len(_still_parked(session, consumer, topic, key))}]


@answers(in_function(dead_letters, "discard"))
async def place_of_letter(session: Session, number: int, consumer: str) -> Answer:
    row = session.get("dead_letter", number)
    return [row] if row and row["consumer"] == consumer and row["state"] == "parked" else []


@answers(in_function(dead_letters, "_lock"))
async def lock_key(session: Session, consumer: str, topic: str, key: str) -> Answer:
    place = (consumer, topic, key)
    if session.get("parked_key", place) is None:
        return []
    await session.lock("parked_key", place)
    return [{"?column?": 1}] if session.get("parked_key", place) else []


@answers(in_function(dead_letters, "_is_parked"))
async def is_parked(session: Session, number: int) -> Answer:
    row = session.get("dead_letter", number)
    return [{"?column?": row["state"] == "parked"}] if row else []


@answers(in_function(dead_letters, "_resolve"))
async def resolve(session: Session, number: int, state: str, actor: str, reason: str | None) -> Answer:
    row = session.get("dead_letter", number)
    if row is None or row["state"] != "parked":
        return 0
    resolved = {"state": state, "resolved_at": session.now(), "resolved_by": actor, "resolution": reason}
    return int(await session.update("dead_letter", number, **resolved))


@answers(in_function(dead_letters, "_free_if_empty"))
async def free_if_empty(session: Session, consumer: str, topic: str, key: str) -> Answer:
    place = (consumer, topic, key)
    if session.get("parked_key", place) is None or _still_parked(session, consumer, topic, key):
        return 0
    return int(await session.delete("parked_key", place))
