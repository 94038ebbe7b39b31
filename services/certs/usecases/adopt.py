"""Give rows that were written without a leaf theirs: those from before the log, and those of older releases.

The registry is gone over in passes, a batch at a time, by one process at a time. A row is adopted only if its
integrity code holds, so that nobody has the log vouch for what the service did not write. The first pass that
finds nothing, begun when no older release can still be writing, is the last: a row without leaf is from then
on a finding of `tongban log verify` for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from services.certs.domain.log import Leaf

PAGE_ROWS = 1_000
"""Rows looked at in one transaction."""
BATCH_LICENCES = 100
"""Licences decrypted for their leaves in one transaction: a tenth of a second at most."""
REST = timedelta(minutes=10)
"""Between two passes."""
FIRST = UUID(int=0)
_CLOCKS_DIFFER = timedelta(days=1)


class Stage(StrEnum):
    """Where a pass stands."""

    RESTING = "resting"
    LICENCES = "licences"
    USAGES = "usages"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Adoption:
    """How far the adoption (补录) has come; ``adopted`` and ``refused`` count within the present pass."""

    stage: Stage
    log_began_at: datetime
    began_at: datetime
    ended_at: datetime | None = None
    after: UUID = FIRST
    left_rows: int = 0
    """Rows that the pass has still to look at, as counted when it began."""
    adopted: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One page of the adoption: the stage before it, how far it is now, how many leaves were given."""

    before: Stage
    adoption: Adoption
    leaves: int = 0

    @property
    def is_working(self) -> bool:
        """Whether there is a next page now."""
        return self.adoption.stage in {Stage.LICENCES, Stage.USAGES}


@dataclass(frozen=True, slots=True)
class Found:
    """What a page of rows needs: ``last`` is the row it ends with, None where there was none."""

    last: UUID | None
    looked: int = 0
    leaves: Sequence[Leaf] = ()
    refused: int = 0


class Adoptions(Protocol):
    """The rows without leaf, within one open transaction."""

    async def hold(self) -> Adoption | None:
        """Return how far it has come, held until the transaction ends; None while another holds it."""

    async def save(self, adoption: Adoption) -> None:
        """Note how far it has come."""

    async def count(self, usages_after: UUID) -> int:
        """Return how many licences there are, and uses recorded after an id."""

    async def licences(self, after: UUID, since: datetime) -> Found:
        """Return the leaves that licences after an id need, their changes and use-codes included."""

    async def usages(self, after: UUID) -> Found:
        """Return the leaves that lines of the usage record after an id need."""

    async def append(self, leaves: Sequence[Leaf]) -> None:
        """Queue leaves."""


async def adopt(adoptions: Adoptions, now: datetime, upgrade: timedelta) -> Step | None:
    """Do one page of the adoption and return what became of it; None while another process does it.

    ``upgrade`` is how long after the log began a process of an older release may still write.
    """
    held = await adoptions.hold()
    if held is None or held.stage is Stage.FINISHED:
        return Step(held.stage, held) if held else None
    if held.stage is not Stage.RESTING:
        step = await _page(adoptions, held, now, upgrade)
    elif held.ended_at is not None and now - held.ended_at < REST:
        return Step(held.stage, held)
    else:
        rows = await adoptions.count(first_id(held.log_began_at))
        fresh = Adoption(Stage.LICENCES, held.log_began_at, now, held.ended_at, left_rows=rows)
        step = Step(held.stage, fresh)
    await adoptions.save(step.adoption)
    return step


def first_id(at: datetime) -> UUID:
    """Return an id before all those given after a time: ids begin with their milliseconds (RFC 9562, version 7)."""
    milliseconds = int((at - _CLOCKS_DIFFER).timestamp() * 1_000)
    return UUID(int=milliseconds << 80)


async def _page(adoptions: Adoptions, held: Adoption, now: datetime, upgrade: timedelta) -> Step:
    if held.stage is Stage.LICENCES:
        found = await adoptions.licences(held.after, held.log_began_at)
    else:
        found = await adoptions.usages(held.after)
    await adoptions.append(found.leaves)
    if found.last is not None:
        moved = replace(
            held,
            after=found.last,
            left_rows=max(0, held.left_rows - found.looked),
            adopted=held.adopted + len(found.leaves),
            refused=held.refused + found.refused,
        )
    elif held.stage is Stage.LICENCES:
        moved = replace(held, stage=Stage.USAGES, after=first_id(held.log_began_at))
    else:
        settled = held.began_at >= held.log_began_at + upgrade and not held.adopted
        moved = replace(held, stage=Stage.FINISHED if settled else Stage.RESTING, ended_at=now, left_rows=0)
    return Step(held.stage, moved, len(found.leaves))
