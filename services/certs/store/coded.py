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
CODED = (USAGE, USE_CODE, STATUS_CHANGE)
