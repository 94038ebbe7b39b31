"""Operator, second person and reason, which every decision about a seal's use names."""

from __future__ import annotations

from collections.abc import Iterator

from chassis.errors import FIELD_REQUIRED, FIELD_TOO_LONG, Violation
from services.seal.domain.register import SECOND_PERSON_SAME
from standards.persons import is_same_person

LONGEST_TEXT = 200


def text_mistakes(texts: dict[str, str], *, required: bool = True) -> Iterator[Violation]:
    """Yield what is wrong with texts, by the name of their field."""
    for name, value in texts.items():
        if required and not value.strip():
            yield FIELD_REQUIRED.at(name)
        elif len(value) > LONGEST_TEXT:
            yield FIELD_TOO_LONG.at(name, limit=LONGEST_TEXT)


def decision_mistakes(operator: str, second_person: str, reason: str) -> Iterator[Violation]:
    """Yield what a decision that two persons take together lacks."""
    yield from text_mistakes({"operator": operator, "second_person": second_person, "reason": reason})
    if second_person.strip() and is_same_person(second_person, operator):
        yield SECOND_PERSON_SAME.at("second_person")
