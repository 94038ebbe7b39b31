"""Sharing agreements: on which legal article a department reads over the door that knows no legal basis.

GB/T 36906 carries a purpose and no basis. Whoever was let in by an agreement has one on record; others
state it with each call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.errors import Kind, declare
from services.certs.domain.use_code import article_violations

AGREEMENTS_MALFORMED = declare(
    "AGREEMENTS_MALFORMED",
    Kind.FAILED_PRECONDITION,
    "共享协议目录第 {position} 条有误：{cause}",
    "Sharing agreement {position} of the catalogue is wrong: {cause}",
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """A sharing agreement (证照共享协议): for whom, on which article, for which types; no types means every one."""

    consumer_code: str
    legal_article: str
    type_codes: frozenset[str] = frozenset()

    def covers(self, type_code: str) -> bool:
        """Say whether licences of a type may be read under it."""
        return not self.type_codes or type_code in self.type_codes


Agreements = Mapping[str, Agreement]
"""By the consumer's credit code."""


def parse_agreements(document: object) -> dict[str, Agreement]:
    """Return the agreements of ``sharing_agreements.yaml``; none for no such file. Raises AGREEMENTS_MALFORMED."""
    if document is None:
        return {}
    entries = document.get("agreements") if isinstance(document, Mapping) else None
    if not isinstance(entries, Sequence):
        raise AGREEMENTS_MALFORMED(position=0, cause="agreements is missing")
    found: dict[str, Agreement] = {}
    for position, entry in enumerate(entries, 1):
        try:
            types = frozenset(str(each) for each in entry.get("type_codes", ()))
            agreed = Agreement(str(entry["consumer"]), str(entry["legal_article"]), types)
        except (KeyError, TypeError, AttributeError) as problem:
            raise AGREEMENTS_MALFORMED(position=position, cause=repr(problem)) from problem
        if article_violations(agreed.legal_article) or agreed.consumer_code in found:
            raise AGREEMENTS_MALFORMED(position=position, cause=agreed.consumer_code)
        found[agreed.consumer_code] = agreed
    return found
