"""Which rows of intake carry an integrity code: mandates, signatures, readings, timelines and the like."""

from __future__ import annotations

from chassis.row_codes import CodedTable

REPRESENTATION = CodedTable(
    "representation",
    ("organisation_id", "person_id"),
    ("organisation_id", "person_id", "licence_id", "confirmed_at", "revoked_at"),
)
CONTACT_READ = CodedTable(
    "contact_read",
    ("contact_read_id",),
    ("contact_read_id", "person_id", "reader", "purpose", "read_at"),
)
SIGNATURE = CodedTable(
    "part_signature",
    ("part_id", "position"),
    ("part_id", "position", "staff_id", "decision", "signed_at"),
)
"""Its opinion is a ciphertext."""
TIMELINE = CodedTable(
    "case_timeline",
    ("case_id", "service", "what", "reference"),
    ("case_id", "at", "service", "what", "reference"),
)
RETENTION_RUN = CodedTable(
    "retention_run",
    ("retention_run_id",),
    ("retention_run_id", "what", "past", "deleted", "deleted_at"),
)
ENTRUSTMENT = CodedTable(
    "entrustment",
    ("entrustment_id",),
    (
        "entrustment_id",
        "grantor_id",
        "granted_by",
        "agent_subject",
        "valid_from",
        "expires_at",
        "granted_at",
        "recorded_at",
        "revoked_at",
        "tries",
        "try_at",
        "refusal",
    ),
)
"""Persons' numbers, the scope and the signed statement are a ciphertext."""
CODED = (REPRESENTATION, CONTACT_READ, SIGNATURE, TIMELINE, RETENTION_RUN, ENTRUSTMENT)
