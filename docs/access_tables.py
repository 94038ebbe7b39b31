"""Tables of docs/security/rules.md: who may call which route and method, which fields are written and answered."""  # noqa: INP001 - see code_facts

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, cast

from chassis.rpc.access import Method, methods_of
from docs.code_facts import SERVICES
from tongban.common.v1 import access_pb2


def short(name: str) -> str:
    """Return the last part of a schema's reference; two of one name keep the word before."""
    last = name.rpartition("/")[2]
    if last.startswith("Body_"):
        return "upload"
    return ".".join(last.split("__")[-2:]) if "__" in last else last


def named(part: object) -> Iterator[str]:
    """Yield the names of the schemas that a part of an OpenAPI document refers to."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield short(part["$ref"])
        for each in part.values():
            yield from named(each)
    elif isinstance(part, list):
        for each in part:
            yield from named(each)


def access(described: dict[str, Any]) -> Iterator[str]:
    """Yield who may call what, and which fields are written and answered."""
    yield "\n## Who may call, read and write which fields (ASVS 8.1.1, 8.1.2)\n"
    yield (
        "A citizen acts through intake only, on what is theirs; what is not is not found. Written is what the body names and "
        "nothing else; answered is what the view names. Terminals and administrators have no rights of their own: an operator's "
        "work is done by commands on the machine. A caller that `tongban callers suspend` named is refused everywhere.\n"
    )
    yield "| Route | Who | Writes | Is answered |\n|---|---|---|---|"
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            who = "a log-in" if route.get("security") else "anybody"
            body = ", ".join(sorted(set(named(route.get("requestBody", {})))))
            good = [value for status, value in route["responses"].items() if status.startswith("2")]
            views = ", ".join(sorted(set(named(good))))
            yield f"| {method.upper()} {path} | {who} | {body or '–'} | {views or '–'} |"
    yield "\n| Method | Callers | For a person | Whose | Fields of the answer |\n|---|---|---|---|---|"
    for method, fields in _methods():
        callers = ", ".join(sorted(_caller(each) for each in method.callers))
        person = "yes" if method.acting_person else "–"
        yield f"| {method.path.removeprefix('/tongban.')} | {callers} | {person} | {method.object_rule or '–'} | {fields} |"
    yield "\n| View of a person | Fields |\n|---|---|"
    for name, schema in sorted(described["components"]["schemas"].items()):
        if name.endswith("View"):
            yield f"| {name} | {', '.join(f'`{each}`' for each in schema.get('properties', {}))} |"


def _methods() -> Iterator[tuple[Method, str]]:
    for descriptor in _descriptors():
        known = methods_of(descriptor.full_name)
        for each in descriptor.methods:
            yield known[each.name], ", ".join(f"`{field.name}`" for field in each.output_type.fields) or "–"


def _descriptors() -> Iterator[Any]:
    for service in SERVICES:
        package = import_module(f"tongban.{service}.v1")
        for module in iter_modules(package.__path__):
            if module.name.endswith("_pb2"):
                found = import_module(f"{package.__name__}.{module.name}")
                yield from found.DESCRIPTOR.services_by_name.values()


def _caller(number: int) -> str:
    return str(access_pb2.Caller.Name(cast("Any", number))).removeprefix("CALLER_").lower().replace("_", " ")
