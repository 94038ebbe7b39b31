"""Which rows of seal carry an integrity code: every use of a seal, refused ones too, and who may use it how.

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
SEAL_USE_DETAIL = CodedTable(
    "seal_use_detail",
    ("sequence",),
    (
        *(
            "sequence",
            "document_type",
            "service_item",
            "account",
            "reviewer",
            "request_id",
            "item_id",
            "mode",
        ),
        *("format", "document_count", "grant_id", "approvers", "day_uses", "request_digest"),
    ),
)
_DECIDED = ("operator", "reason", "account")
SEAL_GRANT = CodedTable(
    "seal_grant",
    ("grant_id",),
    (
        *("grant_id", "seal_id", "grantee_kind", "grantee", "document_type", "service_item", "case_id"),
        *("valid_from", "valid_until", "granted_at", "second_person", *_DECIDED),
    ),
)
SEAL_GRANT_WITHDRAWAL = CodedTable(
    "seal_grant_withdrawal", ("grant_id",), ("grant_id", "seal_id", "withdrawn_at", *_DECIDED)
)
SEAL_RULE = CodedTable(
    "seal_rule",
    ("seal_id", "version"),
    (
        *("seal_id", "version", "quorum", "daily_limit", "burst_limit", "changed_at", "second_person"),
        *_DECIDED,
    ),
)
SEAL_APPROVAL = CodedTable(
    "seal_approval",
    ("approval_id",),
    ("approval_id", "seal_id", "document_sha256", "approver", "note", "account", "approved_at"),
)
LEDGER_CHECKPOINT = CodedTable(
    "ledger_checkpoint",
    ("number",),
    ("number", "sequence", "row_hash", "previous_hash", "token", "stamped_at"),
)
SEAL_APPLICATION = CodedTable(
    "seal_application",
    ("application_id",),
    (
        *(
            "application_id",
            "kind",
            "owner_code",
            "owner_name",
            "division",
            "name",
            "line",
            "number",
            "picture",
        ),
        *(
            "width_mm",
            "height_mm",
            "name_index",
            "letter",
            "replaces",
            "external",
            "reason",
            "applied_by",
            "account",
        ),
        *("applied_at", "status", "decided_by", "decided_reason", "decided_account", "decided_at", "version"),
    ),
)
APPLICATION_CERTIFICATE = CodedTable(
    "application_certificate",
    ("application_id", "suite"),
    ("application_id", "suite", "certificate", "chain", "imported_by", "account", "imported_at"),
)
CODED = (
    SEAL_APPLICATION,
    APPLICATION_CERTIFICATE,
    SEAL_USE,
    SEAL_USE_DETAIL,
    SEAL_GRANT,
    SEAL_GRANT_WITHDRAWAL,
    SEAL_RULE,
    SEAL_APPROVAL,
    LEDGER_CHECKPOINT,
)
