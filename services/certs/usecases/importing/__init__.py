"""Getting licence data in: rows prepared aside, stored chunk by chunk; sources, conflicts, reconciliation."""

from __future__ import annotations

from services.certs.usecases.import_ports import PreparedRow
from services.certs.usecases.importing.preparing import CHUNK_ROWS, Importer, check_message, prepare_rows
from services.certs.usecases.importing.storing import import_rows

__all__ = ["CHUNK_ROWS", "Importer", "PreparedRow", "check_message", "import_rows", "prepare_rows"]
