"""Which uses are frozen now, for whoever reads or records uses."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.dispute import FrozenUse
from services.certs.store.coded import DISPUTE
from services.certs.store.sealing import Vault

_FROZEN = f"select {DISPUTE.names} from dispute where licence_id = any($1) and frozen_at is not null"  # noqa: S608


async def frozen_uses(tx: Transaction, vault: Vault, licence_ids: Sequence[str]) -> list[FrozenUse]:
    """Return the freezes that are on licences now. Raises ROW_ALTERED."""
    rows = await tx.fetch(_FROZEN, [UUID(each) for each in licence_ids])
    for row in rows:
        vault.check_row(DISPUTE, row)
    return [FrozenUse(str(row["licence_id"]), row["consumer_code"], row["issuer_code"]) for row in rows]
