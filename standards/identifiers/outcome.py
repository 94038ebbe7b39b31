"""The answer of a check: valid or not, which rule failed, and which character would be right."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.errors import Reason, Violation


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of checking one identifier; it never repeats the identifier itself.

    ``warnings`` name rules that a record from elsewhere may break without being refused
    (import keeps the record and flags it).
    """

    rule: Reason | None = None
    expected_check: str | None = None
    warnings: tuple[Reason, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether every refusing rule holds."""
        return self.rule is None

    @property
    def reason(self) -> str | None:
        """The stable code of the rule that failed, None when valid."""
        return self.rule.code if self.rule else None

    @property
    def zh(self) -> str:
        """The failed rule in Chinese, empty when valid."""
        return self.rule.zh if self.rule else ""

    @property
    def en(self) -> str:
        """The failed rule in English, empty when valid."""
        return self.rule.en if self.rule else ""

    @property
    def flags(self) -> tuple[str, ...]:
        """Quality flags for a record that is kept all the same: the failed rule, then the warnings."""
        rules = (*((self.rule,) if self.rule else ()), *self.warnings)
        return tuple(rule.code for rule in rules)

    def violations(self, field_path: str) -> tuple[Violation, ...]:
        """Return the failure as said of one request field, for `chassis.errors.refuse`; empty when valid."""
        return (self.rule.at(field_path),) if self.rule else ()

    def require(self) -> None:
        """Raise the failed rule as a fault, or do nothing."""
        if self.rule:
            raise self.rule()
