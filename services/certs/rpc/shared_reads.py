"""Look-ups that come at the same time share their statements: one finds for all of them, one records all uses.

A look-up is answered only when its use is recorded and flushed, as it would be in a transaction of its own;
but a round trip and a flush serve several of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from chassis.db import Database, Transaction
from chassis.together import Together
from services.certs.domain.licence import Licence
from services.certs.domain.usage import Usage
from services.certs.usecases.ports import Asked, Registry


class SharedReads:
    """The registry as look-ups see it; implements the port Reads."""

    def __init__(self, database: Database, registry_of: Callable[[Transaction], Registry]) -> None:
        self._database, self._registry_of = database, registry_of
        self.licences = SharedFinding(Together("find licences", self._find))
        self.usages = SharedRecording(Together("record uses", self._record))

    async def _find(self, asked: Sequence[Asked]) -> Sequence[list[Licence]]:
        async with self._database.statements() as tx:
            return await self._registry_of(tx).licences.find_each(asked)

    async def _record(self, uses: Sequence[Sequence[Usage]]) -> Sequence[None]:
        async with self._database.statements() as tx:
            await self._registry_of(tx).usages.add_finds(list(chain.from_iterable(uses)))
        return [None] * len(uses)


class SharedFinding:
    """Implements the port Finding."""

    def __init__(self, together: Together[Asked, list[Licence]]) -> None:
        self._together = together

    async def find(self, id_type_code: str, id_number: str, type_codes: Sequence[str]) -> list[Licence]:
        """Return the licences of a holder, newest issue first."""
        return await self._together.ask((id_type_code, id_number, type_codes))


class SharedRecording:
    """Implements the port Recording."""

    def __init__(self, together: Together[Sequence[Usage], None]) -> None:
        self._together = together

    async def add_finds(self, usages: Sequence[Usage]) -> None:
        """Append lines. Raises AUDIT_UNWRITABLE."""
        await self._together.ask(usages)
