"""What the registry keeps encrypted; a licence's past is copied from it, so it is walked after it."""

from __future__ import annotations

from chassis.rewrap import STORED_ANSWERS, EncryptedTable
from services.certs.store.replica_content import CONTENT, TOLD
from services.certs.store.sealing import FACE, OFFERED, STATEMENT, SUBJECT

ENCRYPTED = (
    EncryptedTable("licence", ("licence_id",), {"subject": SUBJECT, "face": FACE}),
    EncryptedTable("licence_past", ("licence_id", "version"), {"subject": SUBJECT, "face": FACE}),
    EncryptedTable("import_conflict", ("conflict_id",), {"offered": OFFERED}),
    EncryptedTable("dispute", ("dispute_id",), {"statement": STATEMENT}),
    EncryptedTable("replica_licence", ("licence_id",), {"content": CONTENT}),
    EncryptedTable("replica_use", ("usage_id",), {"told": TOLD}),
    STORED_ANSWERS,
)
