"""Before a row is stored: the frame of its message, its own rules, its encryption. Needs no database."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, refuse
from services.certs.domain.importing import ImportRow, Judgement, Operation, Source, judge, judge_cancellation
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.log import content_commitment
from services.certs.domain.metadata import read_date
from services.certs.usecases.import_ports import Cancellation, PreparedRow, RowVault, SealedRow, Stored

CHUNK_ROWS = 2_000
"""Rows of one transaction: large enough that statements are shared, small enough that locks are short."""
MESSAGE_ROWS = 5_000
BATCH_ID_LIMIT = 64
SALT_BYTES = 16
CANCEL, UPSERT = Operation.CANCEL, Operation.UPSERT


@dataclass(frozen=True, slots=True)
class Importer:
    """Who imports: the caller that owns the batch, and the source, None for an operator's any."""

    caller: str
    source: Source | None
    source_id: str
    priority: int


def check_message(batch_id: str, rows: Sequence[int]) -> None:
    """Refuse a message whose frame is wrong; what is wrong inside a row is that row's answer.

    ``rows`` are the row numbers.
    """
    wrong = []
    if not batch_id:
        wrong.append(FIELD_REQUIRED.at("batch_id"))
    elif len(batch_id) > BATCH_ID_LIMIT:
        wrong.append(FIELD_TOO_LONG.at("batch_id", limit=BATCH_ID_LIMIT))
    elif not batch_id.isprintable():
        wrong.append(FIELD_MALFORMED.at("batch_id"))
    if len(rows) > MESSAGE_ROWS:
        wrong.append(FIELD_TOO_LONG.at("rows", limit=MESSAGE_ROWS))
    if len(set(rows)) != len(rows) or any(number < 1 for number in rows):
        wrong.append(FIELD_MALFORMED.at("rows.row_number"))
    refuse(wrong)


def prepare_rows(
    vault: RowVault, types: LicenceTypes, importer: Importer, rows: Sequence[ImportRow], now: datetime
) -> list[PreparedRow]:
    """Judge a chunk and encrypt what passes; safe in a thread and in another process."""
    keys = vault.content_keys(row.given for row in rows)
    judged = [None if row.operation is CANCEL else judge(row, types, importer.source, now) for row in rows]
    licences = [each.licence for each in judged if each and each.licence]
    sealed, salts = iter(vault.seal_rows(licences)), BytesIO(secrets.token_bytes(SALT_BYTES * len(licences)))
    return [
        _cancellation(vault, row, key, now)
        if judgement is None
        else _prepared(row, key, judgement, next(sealed) if judgement.licence else None, salts)
        for row, key, judgement in zip(rows, keys, judged, strict=True)
    ]


def _prepared(
    row: ImportRow, key: bytes, judgement: Judgement, sealed: SealedRow | None, salts: BytesIO
) -> PreparedRow:
    asked, licence = _answer_key(key, row.operation), judgement.licence
    if licence is None or sealed is None:
        return PreparedRow(row.row_number, row.operation.value, key, asked, judgement.problems)
    salt = salts.read(SALT_BYTES)
    stored = Stored(
        sealed.lineage_id,
        sealed.public_identifier,
        sealed.identifier_key,
        sealed.number_key,
        sealed.holder_keys,
        licence.type_code,
        licence.type_version,
        licence.type_name,
        licence.issuer_code,
        licence.issuer_name,
        licence.county_code,
        sealed.subject,
        sealed.face,
        licence.issued_date,
        licence.valid_from,
        licence.valid_until,
        licence.status.value,
        judgement.states_status,
        licence.trust_grade,
        licence.serial_version,
        judgement.acted_on,
        salt,
        content_commitment(licence, salt),
    )
    return PreparedRow(row.row_number, row.operation.value, key, asked, (), licence.quality_flags, stored)


def _cancellation(vault: RowVault, row: ImportRow, key: bytes, now: datetime) -> PreparedRow:
    asked = _answer_key(key, row.operation)
    given, problems = judge_cancellation(row, now)
    if problems:
        return PreparedRow(row.row_number, row.operation.value, key, asked, tuple(problems))
    day = read_date(given["ZZBGSJ"][:10]) if "ZZBGSJ" in given else None
    found = Cancellation(vault.identifier_key(given["ZZBS"]), given.get("ZZBGYY", ""), day)
    return PreparedRow(row.row_number, row.operation.value, key, asked, cancellation=found)


def _answer_key(content_key: bytes, operation: Operation) -> bytes:
    """Return what a stored answer is for; that of a stock row is its content alone, as it always was."""
    if operation is UPSERT:
        return content_key
    return hashlib.sha256(content_key + operation.encode()).digest()
