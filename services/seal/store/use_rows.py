"""A row of the ledger between the domain and its two tables: the first form, and beside it what the second adds."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import Any
from uuid import UUID

from chassis.fields import FieldCipher
from services.seal.domain.ledger import SealUse, UseDetail, UseEntry
from services.seal.store.coded import SEAL_USE, SEAL_USE_DETAIL

_DETAIL = tuple(each.name for each in fields(UseDetail))
_JOINED = ", ".join(f"d.{name} as detail_{name}" for name in (*_DETAIL, "mac"))
READ = f"""select {", ".join(f"u.{name}" for name in (*SEAL_USE.columns, "mac"))},
  d.sequence as detail_sequence, {_JOINED} from seal_use u left join seal_use_detail d using (sequence)"""  # noqa: S608 - constants


def base_values(use: SealUse, cipher: FieldCipher) -> tuple[object, ...]:
    """Return the values of a row of the first form, with their code."""
    entry = use.entry
    values = (
        use.sequence,
        UUID(entry.signature_id),
        entry.seal_id,
        entry.licence_id or None,  # a document that is no licence
        entry.case_id,
        entry.issuer_code,
        entry.outcome,
        entry.unsealed_sha256,
        entry.document_sm3,
        entry.signature_sm3,
        entry.used_at,
        use.previous_hash,
        use.row_hash,
    )
    return SEAL_USE.coded(cipher, values)


def detail_values(sequence: int, detail: UseDetail, cipher: FieldCipher) -> tuple[object, ...]:
    """Return the values of the row beside, with their code."""
    return SEAL_USE_DETAIL.coded(cipher, (sequence, *astuple(detail)))


def read_use(row: Any, cipher: FieldCipher | None) -> SealUse:
    """Return the row, checked. Raises ROW_ALTERED; a job without a cipher checks the chain instead."""
    beside = _beside(row)
    if cipher is not None:
        SEAL_USE.check(cipher, row)
        if beside is not None:
            SEAL_USE_DETAIL.check(cipher, beside)
    values = {name: row[name] for name in SEAL_USE.columns}
    sequence, previous, row_hash = (values.pop(name) for name in ("sequence", "previous_hash", "row_hash"))
    values["signature_id"] = str(values["signature_id"])
    values["licence_id"] = values["licence_id"] or ""
    detail = UseDetail(**{name: beside[name] for name in _DETAIL}) if beside is not None else None
    return SealUse(sequence, UseEntry(**values, detail=detail), previous, row_hash)


def _beside(row: Any) -> dict[str, Any] | None:
    if row["detail_sequence"] is None:
        return None
    return {name: row[f"detail_{name}"] for name in ("sequence", *_DETAIL, "mac")}
