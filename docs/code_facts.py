"""What the code says of itself: events told and heard, calls answered and asked, reasons and their places.

Read from the sources, so that the documents and the layout tests cannot drift from them.
"""  # noqa: INP001 - documents, not a package that ships

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import events  # noqa: F401 - declares every event
from chassis.errors import Reason
from chassis.event import Event, declared_events

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("intake", "certs", "seal", "notify")
PRODUCT = ("chassis", "cli", "events", "services", "standards")
CARD_LINES = ("Publishes", "Consumes", "Answers", "Asks", "Stores")

_SERVICE = re.compile(r"^service (\w+)", re.MULTILINE)
_STUB = re.compile(r"\b(\w+)Stub\b")
_DECLARED = re.compile(r'\bdeclare\(\s*"([A-Z0-9_]+)"')
_CARD_LINE = re.compile(rf"({'|'.join(CARD_LINES)}): *(.*)")


def product_files() -> Iterator[Path]:
    """Yield every product source file; generated ones stand elsewhere."""
    for package in PRODUCT:
        yield from sorted((ROOT / package).rglob("*.py"))


def event_names() -> frozenset[str]:
    """Return the class names of all declared events."""
    return frozenset(cls.__name__ for cls in declared_events())


def producer_of(event: type[Event]) -> str:
    """Return the service that tells an event."""
    return event.TYPE.partition(".")[0]


def published_by(service: str) -> frozenset[str]:
    """Return the events a service declares."""
    return frozenset(cls.__name__ for cls in declared_events() if producer_of(cls) == service)


def consumed_by(service: str) -> frozenset[str]:
    """Return the events that stand in a ``Handler(...)`` of a service's consumers."""
    found = set[str]()
    for path in _adapter(service, "consumers"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _last_name(node.func) == "Handler":
                direct = _events_in(node.args[0]) if node.args else _events_in(node)
                # Handler(cls, ...) for cls in (...): the events are named where the loop is fed.
                found |= direct or _events_in(tree)
    return frozenset(found)


def answered_by(service: str) -> frozenset[str]:
    """Return the gRPC services of a service's own proto package."""
    folder = ROOT / "proto" / "tongban" / service
    texts = (path.read_text(encoding="utf-8") for path in folder.rglob("*.proto"))
    return frozenset(name for text in texts for name in _SERVICE.findall(text))


def asked_by(service: str) -> frozenset[str]:
    """Return the gRPC services whose stubs a service's clients use."""
    texts = (path.read_text(encoding="utf-8") for path in _adapter(service, "clients"))
    return frozenset(name for text in texts for name in _STUB.findall(text))


def card_of(service: str) -> dict[str, str]:
    """Return the lines of a service's card, the docstring of its package, by their first word."""
    source = (ROOT / "services" / service / "__init__.py").read_text(encoding="utf-8")
    card: dict[str, str] = {}
    current = ""
    for line in (ast.get_docstring(ast.parse(source)) or "").splitlines():
        start = _CARD_LINE.match(line)
        if start:
            current, card[start[1]] = start[1], start[2]
        elif current and line.startswith(" "):
            card[current] += " " + line.strip()
        else:
            current = ""
    return card


def place_of(reason: Reason) -> str:
    """Return the file that declares a reason, relative to the repository, ``–`` where it cannot be told."""
    return _places().get(reason.code) or next(
        (name for name, text in _sources().items() if reason.zh in text), "–"
    )


@cache
def _places() -> dict[str, str]:
    return {code: name for name, text in _sources().items() for code in _DECLARED.findall(text)}


@cache
def _sources() -> dict[str, str]:
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in product_files()}


def _adapter(service: str, name: str) -> list[Path]:
    folder = ROOT / "services" / service
    return [
        path for path in (folder / f"{name}.py", *sorted((folder / name).rglob("*.py"))) if path.is_file()
    ]


def _events_in(tree: ast.AST) -> set[str]:
    return {name for node in ast.walk(tree) if (name := _last_name(node)) in event_names()}


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
