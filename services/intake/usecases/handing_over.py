"""Hand entrustments over to the registry, at once or later, until it knows or refuses them."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.errors import Fault, Kind
from services.intake.domain.entrustment import Entrustment
from services.intake.usecases.entrustment_ports import EntrustmentRegistry, OpenEntrustments

WITHDRAWN = "本人撤回委托"
"""The reason of who gives none."""
BATCH = 50
_FOR_GOOD = {Kind.INVALID_ARGUMENT, Kind.ALREADY_EXISTS}
"""Refusals of a statement that no repeat changes; anything else is tried again."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What became of those that the registry did not know yet."""

    recorded: int = 0
    refused: int = 0
    waiting: int = 0
    """Tried again later."""


async def hand_over(
    open_work: OpenEntrustments, registry: EntrustmentRegistry, given: Entrustment
) -> Entrustment:
    """Have the registry act on an entrustment it does not know yet and return it as it stands then.

    What the registry refuses for good is noted as refused. One that was taken back meanwhile is taken back
    there too before it counts as known, since nobody looks at it again. Raises what else the registry answers.
    """
    refusal = "" if given.revoked_at else await _record(registry, given)
    async with open_work() as work:
        found = await work.entrustments.load(given.entrustment_id)
    assert found is not None, "one that stands is not deleted"
    if found.revoked_at and not refusal:
        await registry.revoke(found.entrustment_id, found.grantor, WITHDRAWN, found.entrustment_id)
    async with open_work() as work:
        latest = await work.entrustments.load(given.entrustment_id)
        assert latest is not None, "one that stands is not deleted"
        if latest.revoked_at and not found.revoked_at:
            return latest  # taken back in between: the next turn takes it back at the registry
        found = latest.refused(refusal) if refusal else latest.recorded(work.now())
        await work.entrustments.save(found)
    return found


async def _record(registry: EntrustmentRegistry, given: Entrustment) -> str:
    """Hand it over and return why the registry refuses it for good, empty when it does not."""
    try:
        await registry.record(given.statement, given.entrustment_id)
    except Fault as problem:
        if problem.kind not in _FOR_GOOD:
            raise
        return problem.code
    return ""


async def hand_over_waiting(
    open_work: OpenEntrustments, registry: EntrustmentRegistry, limit: int = BATCH
) -> HandedOver:
    """Hand those over whose turn it is; one that cannot be now has its next turn after a pause that grows."""
    async with open_work() as work:
        waiting = await work.entrustments.take_waiting(work.now(), limit)
    counts = {"recorded": 0, "refused": 0, "waiting": 0}
    for each in waiting:
        try:
            found = await hand_over(open_work, registry, each)
        except Fault:
            counts["waiting"] += 1
        else:
            counts["refused" if found.refusal else "recorded"] += 1
    return HandedOver(**counts)
