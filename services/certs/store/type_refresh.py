"""Keeps the types of a process the same as those in the table: all of them at the start, new ones in seconds."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.db import Database
from chassis.logs import get_logger
from services.certs.domain.licence_type import LicenceTypes
from services.certs.store.licence_types import Stamp, TypeTable
from services.certs.store.sealing import Vault
from services.certs.usecases.licence_types import publish_missing

log = get_logger(__name__)

REFRESH_SECONDS = 2.0
"""How often a process asks whether a version was published; nobody works by an older one for five seconds."""
CATALOGUE = "catalogue/licence_types.yaml"
BY_THE_START = "service/certs"


class TypeRefresh:
    """The one who puts published versions into the book that everybody in the process reads."""

    def __init__(self, database: Database, vault: Vault, types: LicenceTypes, clock: Clock) -> None:
        self._database, self._vault, self._types, self._clock = database, vault, types, clock
        self._seen: Stamp | None = None

    async def start(self) -> None:
        """Publish, as version 1, the types that the book has from the catalogue and the table has not.

        Afterwards the book holds what is published. A type that the catalogue describes otherwise is left
        as it was published, and named in the log: changing it takes ``tongban licence-types publish``.
        Raises ROW_ALTERED.
        """
        async with self._database.transaction() as tx:
            table = TypeTable(tx, self._vault)
            held, differing = await publish_missing(
                table, list(self._types.values()), BY_THE_START, CATALOGUE, self._clock()
            )
            seen = await table.stamp()
        self._types.take(each.kind for each in held)
        self._seen = seen
        if differing:
            log.warning("licence_types_differ_from_catalogue", type_codes=differing)

    async def refresh(self) -> bool:
        """Take over what was published since; False, as there is never more to do. Raises ROW_ALTERED."""
        async with self._database.transaction() as tx:
            table = TypeTable(tx, self._vault)
            seen = await table.stamp()
            if seen == self._seen:
                return False
            held = await table.all()
        self._types.take(each.kind for each in held)
        self._seen = seen
        return False
