"""Take the codes of a case back; list who used a holder's licences."""

from __future__ import annotations

from datetime import datetime

from chassis.errors import refuse
from services.certs.domain.holder import Holder, holder_violations
from services.certs.domain.purpose import CODE_LIMIT
from services.certs.domain.status import REASON_LIMIT
from services.certs.domain.usage import ShownUse
from services.certs.domain.wording import stated_violations
from services.certs.usecases.ports import Registry


async def revoke_use_codes(registry: Registry, case_id: str, reason: str, now: datetime) -> int:
    """Revoke the unused codes of a case and return how many. Raises INVALID_REQUEST."""
    refuse(
        [
            *stated_violations("case_id", case_id, CODE_LIMIT),
            *stated_violations("reason", reason, REASON_LIMIT),
        ]
    )
    return await registry.use_codes.revoke(case_id, reason, now)


async def list_uses(
    registry: Registry, holder: tuple[str, str], before: tuple[datetime, str] | None, limit: int
) -> list[ShownUse]:
    """Return the uses of a holder's licences, newest first. Raises INVALID_REQUEST."""
    refuse(holder_violations(*holder))
    asked = Holder(*holder)
    return await registry.usages.of_holder(asked.id_type_code, asked.id_number, before, limit)
