"""Which rows of the registry carry an integrity code: permissions given, uses recorded, statuses changed."""

from __future__ import annotations

from chassis.row_codes import CodedTable

USAGE = CodedTable(
    "usage",
    ("usage_id",),
    (
        *("usage_id", "kind", "licence_id", "use_code_id", "consumer_code", "consumer_name"),
        *("consumer_is_department", "item_code", "case_id", "use_cause", "basis", "outcome", "used_at"),
        "holder_key",
    ),
)
USE_CODE = CodedTable(
    "use_code",
    ("use_code_id",),
    (
        *("use_code_id", "code_digest", "licence_id", "item_code", "case_id", "consumer_code", "face_fields"),
        *("use_cause", "consent_version", "consented_at", "issued_at", "expires_at", "max_uses", "uses_left"),
        *("revoked_at", "revoked_reason"),
    ),
)
STATUS_CHANGE = CodedTable(
    "licence_status_change",
    ("licence_id", "version"),
    (
        *("licence_id", "version", "previous", "status", "act", "reason", "basis_document", "operator"),
        *("effective_at", "changed_at", "changed_by"),
    ),
)
ENTRUSTMENT = CodedTable(
    "entrustment",
    ("entrustment_id",),
    (
        *("entrustment_id", "grantor_key", "agent_key", "type_codes", "item_codes", "powers", "valid_from"),
        *("expires_at", "statement_sha256", "recorded_at", "revoked_at", "revoked_reason"),
    ),
)
USE_CODE_GROUNDS = CodedTable(
    "use_code_grounds",
    ("use_code_id",),
    ("use_code_id", "mode", "consent_id", "legal_article", "entrustment_id"),
)
USE_CODE_HOLDER = CodedTable("use_code_holder", ("use_code_id",), ("use_code_id", "holder_key"))
USAGE_GROUNDS = CodedTable(
    "usage_grounds",
    ("usage_id",),
    ("usage_id", "mode", "consent_id", "legal_article", "entrustment_id", "licence_version"),
)
ANNOTATED_COPY = CodedTable(
    "annotated_copy",
    ("copy_id",),
    (
        *(
            "copy_id",
            "licence_id",
            "licence_version",
            "usage_id",
            "consumer_code",
            "consumer_name",
            "use_cause",
        ),
        *("case_id", "made_at", "expires_at", "copy_sha256", "original_sha256", "ticket_digest"),
        "ticket_expires_at",
    ),
)
LICENCE_TYPE = CodedTable(
    "licence_type",
    ("type_code", "version"),
    ("type_code", "version", "document", "published_at", "published_by", "source"),
)
SOURCE = CodedTable(
    "source",
    ("source_id",),
    (
        *("source_id", "department_code", "county_code", "name", "priority", "issuer_codes", "type_codes"),
        *("freshness_seconds", "version", "registered_at", "registered_by"),
    ),
)
IMPORT_CONFLICT = CodedTable(
    "import_conflict",
    ("conflict_id",),
    (
        *(
            "conflict_id",
            "licence_id",
            "source_id",
            "held_source_id",
            "held_key",
            "offered_key",
            "issuer_code",
        ),
        *("found_at", "resolution", "resolved_at", "resolved_by", "reason"),
    ),
)
LICENCE_ORDER = CodedTable(
    "licence_order",
    ("order_id",),
    (
        *("order_id", "licence_id", "act", "reason", "basis_document", "operator", "second_person"),
        *("effective_at", "ordered_at", "ordered_by", "state", "settled_at", "settled_version", "cause"),
        "result_id",
    ),
)
LICENCE_LINK = CodedTable(
    "licence_link",
    ("licence_id",),
    (
        *("licence_id", "parent_id", "kind", "copy_number", "order_id", "state", "linked_at"),
        "settled_at",
    ),
)
LICENCE_INSPECTION = CodedTable(
    "licence_inspection",
    ("lineage_id", "cycle"),
    (
        *("lineage_id", "cycle", "licence_id", "type_code", "issuer_code", "opens_at", "due_by", "state"),
        *("settled_at", "order_id"),
    ),
)
LICENCE_ERASURE = CodedTable(
    "licence_erasure",
    ("licence_id",),
    ("licence_id", "fell_at", "keep_years", "erased_at", "documents", "documents_removed_at"),
)
LICENCE_PDF = CodedTable(
    "licence_pdf",
    ("licence_id",),
    (
        *("licence_id", "state", "attempts", "unsealed_sha256", "signature_id", "announced_sha256"),
        *("sealed_sha256", "refusal", "changed_at", "due_at"),
    ),
)
RELIANCE_FLAG = CodedTable(
    "reliance_flag",
    ("flag_id",),
    (
        *("flag_id", "licence_id", "fall_version", "cause", "effective_at", "fell_at", "consumer_code"),
        *("case_id", "item_codes", "relied_version", "last_used_at", "flagged_at", "outcome", "reason"),
        *("operator", "acknowledged_at", "version"),
    ),
)
DISPUTE = CodedTable(
    "dispute",
    ("dispute_id",),
    (
        *("dispute_id", "licence_id", "kind", "usage_id", "consumer_code", "issuer_code", "holder_key"),
        *("state", "opened_at", "due_on", "frozen_at", "settled_at", "reason", "legal_basis", "version"),
    ),
)
DISPUTE_STEP = CodedTable(
    "dispute_step",
    ("dispute_id", "version"),
    ("dispute_id", "version", "act", "at", "done_by", "operator", "reason", "legal_basis"),
)
LICENCE_FREEZE = CodedTable(
    "licence_freeze", ("licence_id", "dispute_id"), ("licence_id", "dispute_id", "reached_at")
)
REPLICA_LICENCE = CodedTable(
    "replica_licence",
    ("licence_id",),
    (
        *("licence_id", "registry_id", "sequence", "ordinal", "prior_ordinal", "version", "type_code"),
        *("issuer_code", "county_code", "status", "act", "use_frozen", "valid_until", "effective_at"),
        *("recorded_at", "received_at", "message_sha256", "leaf_index", "leaf_hash", "identifier_key"),
        "holder_key",
    ),
)
REPLICA_STATE = CodedTable(
    "replica_state",
    ("registry_id",),
    (
        *("registry_id", "through", "heard_at", "heard_beat", "heard_ordinal", "verified_at", "checkpoint"),
        *("size", "root", "frozen_at", "frozen_cause", "fork_note"),
    ),
)
REPLICA_PROOF = CodedTable(
    "replica_proof",
    ("licence_id",),
    (
        *("licence_id", "registry_id", "ordinal", "leaf_index", "size", "root", "unproved_since", "ask_at"),
        "proved_at",
    ),
)
REPLICA_ROOT = CodedTable("replica_root", ("registry_id", "size"), ("registry_id", "size", "root"))
CODED = (
    *(REPLICA_LICENCE, REPLICA_STATE, REPLICA_PROOF, REPLICA_ROOT),
    *(
        USAGE,
        USE_CODE,
        STATUS_CHANGE,
        LICENCE_TYPE,
        ENTRUSTMENT,
        USE_CODE_GROUNDS,
        USE_CODE_HOLDER,
        USAGE_GROUNDS,
        ANNOTATED_COPY,
        LICENCE_ORDER,
        LICENCE_LINK,
        LICENCE_INSPECTION,
        LICENCE_ERASURE,
        LICENCE_PDF,
    ),
    *(SOURCE, IMPORT_CONFLICT),
    *(RELIANCE_FLAG, DISPUTE, DISPUTE_STEP, LICENCE_FREEZE),
)
