"""Instant decision 秒批 by published rules: every condition must hold, and each is told by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from services.intake.domain.catalogue.places import Text


class Comparison(StrEnum):
    """How a fact is compared with the stated value."""

    EQUALS = "equals"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    STARTS_WITH = "starts_with"
    ONE_OF = "one_of"


@dataclass(frozen=True, slots=True)
class InstantCondition:
    """One condition: ``fact`` is ``form.<code>``, ``applicant.<fact>`` or ``materials.all_by_licence``.

    ``one_of`` takes its values separated by commas.
    """

    fact: str
    test: Comparison
    value: str
    text: Text

    def holds(self, facts: Mapping[str, str]) -> bool:
        """Whether the condition holds; a missing or unreadable fact never satisfies it."""
        fact = facts.get(self.fact)
        if fact is None:
            return False
        match self.test:
            case Comparison.EQUALS:
                return fact == self.value
            case Comparison.STARTS_WITH:
                return fact.startswith(self.value)
            case Comparison.ONE_OF:
                return fact in self.value.split(",")
            case Comparison.AT_LEAST:
                return _compare(fact, self.value) >= 0
            case Comparison.AT_MOST:
                return _compare(self.value, fact) >= 0


@dataclass(frozen=True, slots=True)
class InstantRule:
    """The published conditions under which the system itself approves 秒批规则."""

    basis: Text
    conditions: tuple[InstantCondition, ...]

    def unmet(self, facts: Mapping[str, str]) -> tuple[InstantCondition, ...]:
        """Return the conditions that do not hold; none left means the case may be approved at once."""
        return tuple(condition for condition in self.conditions if not condition.holds(facts))


def _compare(left: str, right: str) -> int:
    """Return the sign of left minus right as numbers, -1 when either is no number."""
    try:
        difference = Decimal(left) - Decimal(right)
    except InvalidOperation:
        return -1
    return 0 if difference == 0 else 1 if difference > 0 else -1
