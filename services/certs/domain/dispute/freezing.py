"""Which uses a freeze refuses, and when a licence was frozen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.certs.domain.dispute.rules import DisputeAct, Step
from services.certs.domain.licence import Licence
from services.certs.domain.usage import ALLOWED, Reader, Usage, UsageKind

FREELY = frozenset({UsageKind.FIND, UsageKind.STATUS})
"""What a freeze leaves: that a licence exists and where it stands, the dispute with it."""
CHECKING = frozenset({UsageKind.READ, UsageKind.DOCUMENT, UsageKind.PREVIEW})
"""What its issuer may do with a licence in dispute: it has to look at what it checks."""


@dataclass(frozen=True, slots=True)
class FrozenUse:
    """That uses of a licence are frozen: everybody's, or one department's; its issuer may look at it."""

    licence_id: str
    consumer_code: str
    issuer_code: str

    def refuses(self, usage: Usage) -> bool:
        """Say whether a use falls under the freeze."""
        if usage.licence_id != self.licence_id or usage.outcome != ALLOWED or usage.kind in FREELY:
            return False
        if usage.reader.code == self.issuer_code and usage.kind in CHECKING:
            return False
        if (
            self.consumer_code and usage.kind is UsageKind.PRESENT
        ):  # the holder's own act, whoever carries it out
            return False
        return self.consumer_code in {"", usage.reader.code}


def refused_uses(usages: Iterable[Usage], frozen: Sequence[FrozenUse]) -> list[Usage]:
    """Return the uses that a freeze refuses."""
    return [usage for usage in usages if any(each.refuses(usage) for each in frozen)]


def as_found(licence: Licence, reader: Reader) -> Licence:
    """Return a licence as who finds it may see it: of a frozen one that it exists and where it stands.

    Its face is for its issuer alone, who has to look at what it checks.
    """
    if licence.issuer_code == reader.code or not {"", reader.code} & set(licence.frozen_for):
        return licence
    return replace(licence, face={})


_ENDS = {DisputeAct.UNFREEZE, DisputeAct.REJECT, DisputeAct.WITHDRAW}


def frozen_at(steps: Iterable[Step], at: datetime) -> bool:
    """Say whether one dispute's steps had uses frozen at a moment; a freeze never counts before it was made."""
    frozen = False
    for step in sorted(steps, key=lambda each: each.version):
        if step.at > at:
            break
        if step.act is DisputeAct.FREEZE:
            frozen = True
        elif step.act in _ENDS:
            frozen = False
    return frozen
