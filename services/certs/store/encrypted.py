"""What the registry keeps encrypted; a licence's past is copied from it, so it is walked after it."""

from __future__ import annotations

from chassis.rewrap import STORED_ANSWERS, EncryptedTable
from services.certs.store.sealing import FACE, SUBJECT

ENCRYPTED = (
    EncryptedTable("licence", ("licence_id",), {"subject": SUBJECT, "face": FACE}),
    EncryptedTable("licence_past", ("licence_id", "version"), {"subject": SUBJECT, "face": FACE}),
    STORED_ANSWERS,
)
