"""Look-ups that come at the same time share their statements: one finds for all of them, one records all uses.

A look-up is answered only when its use is recorded and flushed, as it would be in a transaction of its own;
but the round trips and the flush serve several of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chassis.db import Database, Transaction
from chassis.together import Together
from services.certs.domain.disclosure import Shown
from services.certs.domain.licence_type import LicenceTypes
from services.certs.usecases.ports import NewId, Registry
from services.certs.usecases.read import LookUp, look_up_each


class SharedReads:
    """The registry as look-ups see it; implements the port LookUps."""

    def __init__(
        self,
        database: Database,
        registry_of: Callable[[Transaction], Registry],
        types: LicenceTypes,
        new_id: NewId,
    ) -> None:
        self._database, self._registry_of, self._types, self._new_id = database, registry_of, types, new_id
        self._together = Together("look up licences", self._round)

    async def look_up(self, asked: LookUp) -> list[Shown]:
        """Return what the reader may know of as it sees it, newest issue first; its use is recorded when this returns."""
        return await self._together.ask(asked)

    async def _round(self, asked: Sequence[LookUp]) -> Sequence[list[Shown]]:
        async with self._database.statements() as tx:
            return await look_up_each(self._registry_of(tx), self._types, asked, self._new_id)
