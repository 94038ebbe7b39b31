"""Which rows of seal carry an integrity code: every use of a seal, refused ones too.

The chain of the ledger tells a changed row to whoever recomputes it; the code is keyed, so that a chain
computed anew by somebody else is told as well, and by every reading.
"""

from __future__ import annotations

from chassis.row_codes import CodedTable

SEAL_USE = CodedTable(
    "seal_use",
    ("sequence",),
    (
        *("sequence", "signature_id", "seal_id", "licence_id", "case_id", "issuer_code", "outcome"),
        *("unsealed_sha256", "document_sm3", "signature_sm3", "used_at", "previous_hash", "row_hash"),
    ),
)
CODED = (SEAL_USE,)
