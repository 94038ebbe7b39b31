"""What seal keeps encrypted under its field keys; private keys are under the keystore's secret instead."""

from __future__ import annotations

from chassis.rewrap import STORED_ANSWERS, EncryptedTable
from services.seal.store.ledger import DOCUMENT_FIELD

ENCRYPTED = (
    EncryptedTable("sealed_document", ("signature_id",), {"ofd": DOCUMENT_FIELD}),
    STORED_ANSWERS,
)
