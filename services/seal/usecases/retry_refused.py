"""Seal what was refused for want of a seal, a grant, approvals or a free place within a limit, once it may pass."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.errors import Fault, Kind
from services.seal.domain.authorisation import SEAL_LIMIT_REACHED, SEAL_QUORUM_MISSING, SEAL_USE_NOT_GRANTED
from services.seal.domain.ledger import UseEntry
from services.seal.domain.register import SEAL_EXPIRED, SEAL_NOT_IN_USE, SEAL_NOT_MADE, usable
from services.seal.usecases.authorise_use import authorise
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.ports import Documents, UnitOfWork
from services.seal.usecases.seal_licence import Order, refuse_sealing, seal_licence
from services.seal.usecases.stamping import is_refusal

AT_ONCE = 20
PAGE = 200
_CURABLE = tuple(
    reason.code
    for reason in (
        *(SEAL_NOT_MADE, SEAL_NOT_IN_USE, SEAL_EXPIRED),
        *(SEAL_USE_NOT_GRANTED, SEAL_QUORUM_MISSING, SEAL_LIMIT_REACHED),
    )
)
_GONE = frozenset({Kind.NOT_FOUND, Kind.FAILED_PRECONDITION, Kind.INVALID_ARGUMENT})


async def retry_refused(unit: UnitOfWork, cabinet: Cabinet, documents: Documents, clock: Clock) -> int:
    """Seal waiting documents whose seal may be used by now; return how many were sealed, of `AT_ONCE` at most.

    What would be refused for the same reason again is left alone, and so is what lies beyond it reached. A
    document that certs no longer hands out is refused once more, with certs' reason, and never asked for again;
    one that cannot be had now is tried again the next time.
    """
    after = sealed = tried = 0
    full: set[str] = set()
    while tried < AT_ONCE:
        async with unit() as work:
            page = await work.ledger.curable(_CURABLE, clock(), PAGE, after)
        for use in page:
            if tried < AT_ONCE and await _may_end_otherwise(unit, use.entry, full, clock):
                tried += 1
                sealed += await _retry(unit, cabinet, documents, use.entry, clock)
        if len(page) < PAGE:
            break
        after = page[-1].sequence
    return sealed


async def _may_end_otherwise(unit: UnitOfWork, entry: UseEntry, full: set[str], clock: Clock) -> bool:
    """Return whether a new attempt would end in another way than the one that is recorded.

    `full` are the issuers whose seal is found at its limit: their other documents need no look.
    """
    order = _order(entry)
    if order.issuer_code in full:
        return False
    now = clock()
    try:
        async with unit() as work:
            seal = usable(await work.seals.of_owner(order.issuer_code), now)
            await authorise(work, seal, order.purpose(seal), order.document_sha256, now)
    except Fault as fault:
        if not is_refusal(fault):
            raise
        if fault.code == SEAL_LIMIT_REACHED.code:
            full.add(order.issuer_code)
        return fault.code != entry.outcome
    return True


async def _retry(
    unit: UnitOfWork, cabinet: Cabinet, documents: Documents, entry: UseEntry, clock: Clock
) -> bool:
    order = _order(entry)
    try:
        document = await documents.unsealed(order.licence_id)
    except Fault as fault:
        if fault.kind in _GONE:
            async with unit() as work:
                await refuse_sealing(work, cabinet, order, "", fault.code, clock())
        return False
    async with unit() as work:
        return await seal_licence(work, cabinet, order, document, clock())


def _order(entry: UseEntry) -> Order:
    item = entry.detail.service_item if entry.detail else ""
    return Order(entry.licence_id, entry.case_id, entry.issuer_code, entry.unsealed_sha256, item)
