"""The PDF companions of licences; their files are in the document store."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.pdf.companion import LicencePdf, PdfState
from services.certs.store.coded import LICENCE_PDF
from services.certs.store.licences import as_uuid
from services.certs.store.sealing import Vault

_GET = f"select {LICENCE_PDF.names} from licence_pdf where licence_id = $1"  # noqa: S608 - constants
_LOCK = f"{_GET} for update"
_INSERT = f"""insert into licence_pdf ({LICENCE_PDF.names})
 values ({", ".join(f"${n}" for n in range(1, 12))}) on conflict do nothing"""  # noqa: S608 - constants
_SAVE = """
update licence_pdf set state = $2, attempts = $3, unsealed_sha256 = $4, signature_id = $5, announced_sha256 = $6,
  sealed_sha256 = $7, refusal = $8, changed_at = $9, due_at = $10, mac = $11 where licence_id = $1
"""


class PdfStore:
    """The PDFs of one open transaction; implements the port Pdfs."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def add(self, pdf: LicencePdf) -> None:
        """Store that a PDF is wanted; one that is stored already stays as it is."""
        await self._tx.execute(_INSERT, *self._values(pdf))

    async def save(self, pdf: LicencePdf) -> None:
        """Store what became of a PDF, under its new code."""
        await self._tx.execute(_SAVE, *self._values(pdf))

    async def get(self, licence_id: str) -> LicencePdf | None:
        """Return the PDF of a licence. Raises ROW_ALTERED."""
        return await self._one(_GET, licence_id)

    async def lock(self, licence_id: str) -> LicencePdf | None:
        """Return the PDF of a licence and hold its row. Raises ROW_ALTERED."""
        return await self._one(_LOCK, licence_id)

    async def due(self, now: datetime, limit: int) -> list[str]:
        """Return licences whose PDF is to be looked at, the longest waiting first; nothing is held."""
        rows = await self._tx.fetch(
            "select licence_id from licence_pdf where due_at <= $1 order by due_at limit $2", now, limit
        )
        return [str(row["licence_id"]) for row in rows]

    async def remove(self, licence_id: str) -> None:
        """Have the row gone."""
        await self._tx.execute("delete from licence_pdf where licence_id = $1", UUID(licence_id))

    async def _one(self, statement: str, licence_id: str) -> LicencePdf | None:
        key = as_uuid(licence_id)
        row = await self._tx.fetchrow(statement, key) if key else None
        return self._pdf(row) if row else None

    def _pdf(self, row: Any) -> LicencePdf:
        self._vault.check_row(LICENCE_PDF, row)
        return LicencePdf(
            licence_id=str(row["licence_id"]),
            state=PdfState(row["state"]),
            **{name: row[name] for name in _PLAIN},
        )

    def _values(self, pdf: LicencePdf) -> tuple[object, ...]:
        values = (
            UUID(pdf.licence_id),
            pdf.state,
            pdf.attempts,
            pdf.unsealed_sha256,
            pdf.signature_id,
            pdf.announced_sha256,
            pdf.sealed_sha256,
            pdf.refusal,
            pdf.changed_at,
            pdf.due_at,
        )
        return self._vault.coded(LICENCE_PDF, values)


_PLAIN = LICENCE_PDF.columns[2:]
