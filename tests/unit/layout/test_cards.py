"""A service's card, the docstring of its package, says what the code does."""

from __future__ import annotations

import ast
import re

import pytest

from chassis.event import declared_events
from docs import code_facts
from docs.code_facts import CARD_LINES, ROOT, SERVICES

REQUIRED = ("__main__", "app", "settings", "store", "usecases", "domain", "migrations")
_NAME = re.compile(r"\b[A-Z][a-z]\w+\b")
_PROTO_NAME = re.compile(r"\b[A-Z]\w+Service\b")

each_service = pytest.mark.parametrize("service", SERVICES)


def named(service: str, line: str) -> set[str]:
    pattern = _PROTO_NAME if line in {"Answers", "Asks"} else _NAME
    return set(pattern.findall(code_facts.card_of(service).get(line, "")))


@each_service
def test_every_service_has_the_same_file_names(service: str) -> None:
    folder = ROOT / "services" / service
    missing = [
        name for name in REQUIRED if not (folder / f"{name}.py").is_file() and not (folder / name).is_dir()
    ]
    assert missing == []


@each_service
def test_every_service_carries_a_card(service: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / "services" / service / "__init__.py").read_text("utf-8")))
    assert docstring
    assert re.search(r"[\u4e00-\u9fff]", docstring.splitlines()[0]), "the first sentence has the Chinese term"
    assert [line for line in CARD_LINES if not code_facts.card_of(service).get(line)] == []


@each_service
def test_the_card_names_what_the_service_publishes(service: str) -> None:
    assert named(service, "Publishes") & code_facts.event_names() == code_facts.published_by(service)


@each_service
def test_the_card_names_what_the_service_consumes(service: str) -> None:
    assert named(service, "Consumes") & code_facts.event_names() == code_facts.consumed_by(service)


@each_service
def test_the_card_names_the_calls_the_service_answers(service: str) -> None:
    assert named(service, "Answers") == code_facts.answered_by(service)


@each_service
def test_the_card_names_the_calls_the_service_asks(service: str) -> None:
    assert named(service, "Asks") == code_facts.asked_by(service)


@each_service
def test_a_card_names_no_event_that_does_not_exist(service: str) -> None:
    for line in ("Publishes", "Consumes"):
        assert named(service, line) - code_facts.event_names() - {"Nothing", "None"} == set()


def test_every_event_is_consumed_or_public() -> None:
    consumed = {name for service in SERVICES for name in code_facts.consumed_by(service)}
    unheard = [cls.TYPE for cls in declared_events() if not cls.PUBLIC and cls.__name__ not in consumed]
    assert unheard == []


def test_every_event_is_told_by_its_producer() -> None:
    untold = []
    for service in SERVICES:
        sources = [path.read_text("utf-8") for path in (ROOT / "services" / service).rglob("*.py")]
        untold += [
            name
            for name in code_facts.published_by(service)
            if not any(f"{name}(" in text for text in sources)
        ]
    assert untold == []


def test_every_service_is_part_of_the_deployment() -> None:
    compose = ROOT / "deploy" / "docker-compose.yml"
    if compose.is_file():
        text = compose.read_text("utf-8")
        assert [name for name in SERVICES if not re.search(rf"^  {name}:", text, re.MULTILINE)] == []
