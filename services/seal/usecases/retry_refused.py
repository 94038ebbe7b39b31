"""Seal what was refused for want of a usable seal, once its issuer has one."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.errors import Fault, Kind
from services.seal.domain.ledger import UseEntry
from services.seal.domain.register import SEAL_EXPIRED, SEAL_NOT_IN_USE, SEAL_NOT_MADE
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.ports import Documents, UnitOfWork
from services.seal.usecases.seal_licence import Order, refuse_sealing, seal_licence

AT_ONCE = 20
_CURABLE = tuple(reason.code for reason in (SEAL_NOT_MADE, SEAL_NOT_IN_USE, SEAL_EXPIRED))
_GONE = frozenset({Kind.NOT_FOUND, Kind.FAILED_PRECONDITION, Kind.INVALID_ARGUMENT})


async def retry_refused(unit: UnitOfWork, cabinet: Cabinet, documents: Documents, clock: Clock) -> int:
    """Seal waiting documents whose issuer has a usable seal by now; return how many were sealed.

    A document that certs no longer hands out is refused once more, with certs' reason, and then left alone;
    one that cannot be had now is tried again the next time.
    """
    async with unit() as work:
        waiting = await work.ledger.curable(_CURABLE, clock(), AT_ONCE)
    return sum([await _retry(unit, cabinet, documents, entry, clock) for entry in waiting])


async def _retry(
    unit: UnitOfWork, cabinet: Cabinet, documents: Documents, entry: UseEntry, clock: Clock
) -> bool:
    order = Order(entry.licence_id, entry.case_id, entry.issuer_code, entry.unsealed_sha256)
    try:
        document = await documents.unsealed(order.licence_id)
    except Fault as fault:
        if fault.kind in _GONE:
            async with unit() as work:
                await refuse_sealing(work, cabinet, order, "", fault.code, clock())
        return False
    async with unit() as work:
        return await seal_licence(work, cabinet, order, document, clock())
