"""Write the documents that come from the code: ``python -m docs.generate``, with ``--check`` only compare.

- ``docs/events.md``, ``docs/asyncapi.json`` and ``tests/contract/events/schemas/*.json`` from the event classes
- ``docs/errors.md`` from the declared reasons
- ``docs/crypto-inventory.md`` from the primitives that the code uses and their declarations
- ``docs/metrics.md`` from the declared metrics
- ``docs/security/rules.md`` and ``data.md`` from routes, methods, limits, settings and log lines
- ``docs/promises.md`` from the promises and the last results of their tests

An event schema that would break its consumers is not written: a breaking change is a new type.
"""  # noqa: INP001 - see code_facts

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chassis.errors import Kind, Reason, declared
from chassis.event import Event, declared_events
from docs.code_facts import ROOT, SERVICES, consumed_by, place_of, producer_of, product_files
from docs.crypto_inventory import inventory_page
from docs.data_page import data_page
from docs.metrics_page import metrics_page
from docs.promises_page import promises_page
from docs.rules_page import rules_page
from docs.schema_changes import not_additive

SCHEMAS = ROOT / "tests" / "contract" / "events" / "schemas"
NOTICE = "<!-- Written by `make docs` from the code; edit the code. -->\n"
RETRY = {
    Kind.UNAVAILABLE: "yes, with back-off",
    Kind.DEADLINE_EXCEEDED: "yes, same `request_id`",
    Kind.RESOURCE_EXHAUSTED: "after the time it states",
    Kind.ABORTED: "after reading again",
}


def documents() -> Iterator[tuple[Path, str]]:
    """Yield every generated document with its text."""
    load_everything()
    yield ROOT / "docs" / "events.md", events_page()
    yield ROOT / "docs" / "errors.md", errors_page()
    yield ROOT / "docs" / "crypto-inventory.md", inventory_page()
    yield ROOT / "docs" / "metrics.md", metrics_page()
    yield ROOT / "docs" / "promises.md", promises_page()
    yield ROOT / "docs" / "security" / "rules.md", rules_page()
    yield ROOT / "docs" / "security" / "data.md", data_page()
    yield ROOT / "docs" / "asyncapi.json", _json(asyncapi())
    for event in declared_events():
        yield SCHEMAS / f"{event.TYPE}.json", _json(event.model_json_schema())


def load_everything() -> None:
    """Import every product module, so that every reason and event is declared."""
    for path in product_files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not {"migrations", "__main__"} & set(parts):
            importlib.import_module(".".join(parts).removesuffix(".__init__"))


def events_page() -> str:
    """Return the table of events."""
    lines = [
        f"{NOTICE}\n# Events\n",
        "One topic per aggregate, keyed by its id, so that the events of one aggregate keep their order.",
        "Public events may be relied on by departments; the others are between our services.\n",
        "| Event | Topic | Key | Fields | Producer | Consumers |",
        "|---|---|---|---|---|---|",
    ]
    for event in declared_events():
        name = f"**{event.__name__}** `{event.TYPE}`<br>{_first_line(event)}"
        fields = ", ".join(f"`{field}`" for field in event.model_fields)
        told = f"{', '.join(_consumers(event)) or '–'}{' (public)' if event.PUBLIC else ''}"
        key, topic = f"`{event.KEY_FIELD}`", f"`{event.TOPIC}`"
        lines.append(f"| {name} | {topic} | {key} | {fields} | {producer_of(event)} | {told} |")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Return the table of reasons."""
    lines = [
        f"{NOTICE}\n# Errors\n",
        "Callers match on the code, which never changes its meaning; the texts may be improved.\n",
        "| Code | Kind | HTTP | 中文 | English | Retry | Declared in |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_error_row(reason) for reason in declared()]
    return "\n".join(lines) + "\n"


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of all topics."""
    topics = sorted({event.TOPIC for event in declared_events()})
    by_topic = {topic: [e for e in declared_events() if topic == e.TOPIC] for topic in topics}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Tongban events", "version": "1.0.0"},
        "defaultContentType": "application/json",
        "channels": {
            topic: {
                "address": topic,
                "messages": {e.__name__: {"$ref": f"#/components/messages/{e.TYPE}"} for e in told},
            }
            for topic, told in by_topic.items()
        },
        "operations": {
            f"{verb}.{topic}": {"action": verb, "channel": {"$ref": f"#/channels/{topic}"}}
            for topic in topics
            for verb in ("send", "receive")
        },
        "components": {"messages": {event.TYPE: _message(event) for event in declared_events()}},
    }


def breaking_changes() -> list[str]:
    """Return, per event, what the schemas kept under ``tests/contract`` forbid."""
    found: list[str] = []
    present = {event.TYPE: event for event in declared_events()}
    for path in sorted(SCHEMAS.glob("*.json")):
        event = present.get(path.stem)
        if event is None:
            found.append(f"{path.stem}: the event is gone")
            continue
        kept = json.loads(path.read_text(encoding="utf-8"))
        found += [f"{path.stem}: {change}" for change in not_additive(kept, event.model_json_schema())]
    return found


def main(arguments: list[str]) -> int:
    """Write, or with ``--check`` compare; return the exit status."""
    wanted = dict(documents())
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    breaking = breaking_changes()
    for change in breaking:
        sys.stderr.write(f"not additive: {change}\n")
    if breaking:
        sys.stderr.write(
            "A breaking change is a new event type; an unreleased event's schema file may be deleted.\n"
        )
        return 1
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"not up to date, run `make docs`: {path.relative_to(ROOT)}\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
    return 0


def _error_row(reason: Reason) -> str:
    kind, retry = reason.kind, RETRY.get(reason.kind, "no")
    texts = f"{_cell(reason.zh)} | {_cell(reason.en)}"
    return (
        f"| `{reason.code}` | {kind.name} | {kind.http_status} | {texts} | {retry} | `{place_of(reason)}` |"
    )


def _message(event: type[Event]) -> dict[str, Any]:
    schema = event.model_json_schema(
        ref_template=f"#/components/messages/{event.TYPE}/payload/$defs/{{model}}"
    )
    return {
        "name": event.TYPE,
        "summary": _first_line(event),
        "headers": {
            "type": "object",
            "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time"],
            "properties": {"ce_type": {"const": event.TYPE}},
        },
        "payload": schema,
        "x-key": event.KEY_FIELD,
        "x-public": event.PUBLIC,
    }


def _consumers(event: type[Event]) -> list[str]:
    return [service for service in SERVICES if event.__name__ in consumed_by(service)]


def _first_line(event: type[Event]) -> str:
    return _cell((event.__doc__ or "").strip().splitlines()[0])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
