"""What seal keeps encrypted under its field keys; private keys are under the keystore's secret instead."""

from __future__ import annotations

from chassis.rewrap import STORED_ANSWERS, EncryptedTable
from services.seal.store.applications import PARTICULARS_FIELD
from services.seal.store.ledger import DOCUMENT_FIELD

ENCRYPTED = (
    EncryptedTable("sealed_document", ("signature_id",), {"ofd": DOCUMENT_FIELD}),
    EncryptedTable("seal_application", ("application_id",), {"particulars": PARTICULARS_FIELD}),
    STORED_ANSWERS,
)
