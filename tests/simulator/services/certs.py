"""Certs in memory: the ports of the registry that making, sealing and archiving a licence take."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis.db import Transaction
from chassis.errors import ETAG_MISMATCH
from services.certs.domain.licence import DOCUMENT_ABSENT, Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.log import Leaf
from services.certs.domain.ofd import Rendered
from services.certs.domain.pdf.companion import LicencePdf
from services.certs.domain.status import LicenceStatus, StatusChange
from services.certs.domain.use_code import CasePart
from services.certs.usecases.evidence_ports import Evidence
from services.certs.usecases.life.ports import Life
from services.certs.usecases.ports import Registry
from tests.simulator.database.engine import Session
from tests.simulator.services.stores import Store


class Licences(Store):
    """Implements the port Licences, as far as this choreography goes."""

    async def get(self, licence_id: str) -> Licence | None:
        return await self.kept("licence", licence_id)  # type: ignore[no-any-return]

    async def by_part(self, part_id: str) -> Licence | None:
        licence_id = await self.kept("licence_of_part", part_id)
        return await self.kept("licence", licence_id) if licence_id else None  # type: ignore[no-any-return]

    async def lock(self, licence_id: str) -> Licence | None:
        return await self.kept("licence", licence_id, lock=True)  # type: ignore[no-any-return]

    async def add(self, licence: Licence) -> Licence:
        for table, key in (("licence_of_part", licence.part_id), ("identifier", licence.identifier)):
            if not await self.keep_new(table, key, licence.licence_id):
                raise ValueError(f"duplicate key value: {table}")
        await self.keep("licence", licence.licence_id, licence)
        return licence

    async def save_state(self, licence: Licence) -> None:
        async def write(session: Session) -> bool:
            await session.lock("licence", licence.licence_id)
            row = session.get("licence", licence.licence_id)
            if row is None or row["kept"].version != licence.version - 1:
                return False
            return await session.update("licence", licence.licence_id, kept=licence)

        if not await self.step(write, "save", licence.licence_id):
            raise ETAG_MISMATCH()

    async def add_change(self, licence: Licence, change: StatusChange, changed_by: str) -> None:
        del changed_by
        await self.keep("licence_status_change", (licence.licence_id, licence.version), change)

    async def save_refusal(self, licence: Licence) -> None:
        await self.keep("licence", licence.licence_id, licence)

    async def next_serial(self, issuer_code: str, type_code: str, year: int) -> int:
        return await self.count_up("serial", (issuer_code, type_code, year))

    async def is_begun(self, licence: Licence) -> bool:
        return await self.kept("identifier", licence.identifier) is not None


class Links(Store):
    """Implements the port Links: no licence follows or copies another here."""

    async def of(self, licence_id: str) -> None:
        await self.kept("licence_link", licence_id)


class Pdfs(Store):
    """Implements the port Pdfs: that one is wanted is kept; what becomes of it is no matter of order and loss."""

    async def add(self, pdf: LicencePdf) -> None:
        await self.keep_new("licence_pdf", pdf.licence_id, pdf)


class Cases(Store):
    """Implements the port CaseParts: what is known of a case plays no part here but that it is kept."""

    async def know(self, parts: Sequence[CasePart], now: datetime) -> None:
        for each in parts:
            await self.keep_new("case_part", (each.case_id, each.part_id), now)

    async def close(self, case_id: str, now: datetime) -> None:
        del now
        await self.kept("case_part", case_id)


class Sources(Store):
    """Implements the port Sources: how fresh licences are is no matter of order and loss."""

    async def note_arrivals(self, source_id: str, found: object) -> None:
        del found
        await self.kept("source_freshness", source_id)


class UseCodes(Store):
    """Implements the port UseCodes: nobody was given any here."""

    async def revoke(self, case_id: str, reason: str, now: datetime) -> int:
        del reason, now
        await self.kept("use_code", case_id)
        return 0


class Queue(Store):
    """Implements the port Log: every leaf of a transaction is kept with it."""

    async def append(self, leaf: Leaf) -> None:
        await self.keep("log_queue", (leaf.licence_id, *leaf.facts.values()), leaf)

    async def append_many(self, leaves: Sequence[Leaf]) -> None:
        for leaf in leaves:
            await self.append(leaf)


def registry_of(tx: Transaction) -> Registry:
    """Return the registry of a transaction; imports, usages and presentations play no part here."""
    nobody: Any = None
    licences: Any = Licences(tx)
    links: Any = Links(tx)
    return Registry(
        licences=licences,
        imports=nobody,
        sources=Sources(tx),  # type: ignore[arg-type]
        recourse=nobody,
        use_codes=UseCodes(tx),  # type: ignore[arg-type]
        usages=nobody,
        presentations=nobody,
        publish=tx.publish,
        log=Queue(tx),  # type: ignore[arg-type]
        evidence=Evidence(Cases(tx), nobody, nobody, nobody),
        life=Life(nobody, links, nobody, nobody, Pdfs(tx)),  # type: ignore[arg-type]
    )


def drawn(licence: Licence, kind: LicenceType) -> Rendered:
    """Stand in for the layout: every licence another document; how it looks is no matter of order and loss."""
    return Rendered(f"OFD {kind.code} {licence.licence_id} {licence.identifier}".encode(), 130.0, 220.0)


async def sealed_document(registry: Registry, files: Any, licence_id: str) -> bytes:
    """Return the document of a licence in force, as intake fetches it for the archive."""
    licence = await registry.licences.get(licence_id)
    if licence is None or licence.status is not LicenceStatus.VALID:
        raise DOCUMENT_ABSENT()
    found: bytes = await files.get(licence.sealing.sealed_sha256)
    assert hashlib.sha256(found).hexdigest() == licence.sealing.sealed_sha256
    return found
