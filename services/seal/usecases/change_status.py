"""Change the state of a seal: suspend, restore, report lost, have remade, cancel."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.errors import ETAG_MISMATCH, FIELD_REQUIRED, refuse
from events.seal import SealStatusChanged
from services.seal.domain.register import SEAL_NOT_FOUND, Change, RegisteredSeal
from services.seal.usecases.ports import Work


async def change_status(work: Work, seal_id: str, etag: str, change: Change, clock: Clock) -> RegisteredSeal:
    """Have the seal in its new state, with the entry in its history; sealings under way end first.

    Raises SEAL_NOT_FOUND, ETAG_MISMATCH, SEAL_STATUS_STEP, or INVALID_REQUEST naming every wrong field.
    """
    refuse([] if etag else [FIELD_REQUIRED.at("etag")])
    seal = await work.seals.get(seal_id, lock=True)
    if seal is None:
        raise SEAL_NOT_FOUND()
    if etag != seal.etag:
        raise ETAG_MISMATCH()
    now = clock()  # after the lock: no sealing that held it is later
    changed, entry = seal.changed(change, now)
    await work.seals.save(changed, entry)
    event = SealStatusChanged(
        seal_id=seal_id, previous=seal.status, status=changed.status, changed_at=entry.since
    )
    work.publish(event, changed.version)
    return changed
