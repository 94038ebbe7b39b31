"""What intake keeps encrypted."""

from __future__ import annotations

from chassis.rewrap import STORED_ANSWERS, EncryptedTable
from services.intake.store.case_content import CONTENT_FIELD, OPINION_FIELD, RATING_FIELD, TEXTS_FIELD
from services.intake.store.identity.entrustments import ENTRUSTMENT_FIELD
from services.intake.store.identity.log_ins import CLAIM_FIELD
from services.intake.store.identity.persons import PERSON_FIELDS

ENCRYPTED = (
    EncryptedTable("person", ("person_id",), PERSON_FIELDS),
    EncryptedTable("service_case", ("case_id",), {"content": CONTENT_FIELD}),
    EncryptedTable("case_part", ("part_id",), {"texts": TEXTS_FIELD}),
    EncryptedTable("part_signature", ("part_id", "position"), {"opinion": OPINION_FIELD}),
    EncryptedTable("case_rating", ("case_id",), {"text": RATING_FIELD}),
    EncryptedTable("login_challenge", ("session_id",), {"claim": CLAIM_FIELD}),
    EncryptedTable("entrustment", ("entrustment_id",), {"content": ENTRUSTMENT_FIELD}),
    STORED_ANSWERS,
)
