"""How rows of the register are read: a seal with the entry that its history ends with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import asyncpg

from services.seal.domain.kinds import SealKind
from services.seal.domain.register import HistoryEntry, RegisteredSeal, SealStatus
from services.seal.store.vouched import HISTORY_COLUMNS

OWN = (
    *(
        "seal_id",
        "owner_code",
        "name",
        "certificate",
        "valid_from",
        "valid_until",
        "status",
        "since",
        "version",
    ),
    *("kind", "filing_number", "replaces", "name_index", "picture_sha256", "width_mm", "height_mm"),
)
STATES = HISTORY_COLUMNS[1:]
_CODED = (*HISTORY_COLUMNS, "row_code", "maker_signature")
READ = f"""select {", ".join(f"s.{name}" for name in OWN)}, {", ".join(f"h.{name} as h_{name}" for name in _CODED)},
  coalesce(s.application_id::text, '') as application_id, s.key_id::text, s.ses_sha256, s.maker_signature,
  coalesce((select r.seal_id from seal r where r.replaces = s.seal_id limit 1), '') as replaced_by,
  {{particulars}} as particulars
from seal s {{join}} left join lateral (
  select * from seal_history l where l.seal_id = s.seal_id order by l.version desc limit 1) h on true"""  # noqa: S608
WITH_NAMES = {
    "particulars": "a.particulars",
    "join": "left join seal_application a on a.application_id = s.application_id and s.kind = 'personal'",
}
WITHOUT_NAMES = {"particulars": "null::bytea", "join": ""}
"""For a process that may not read them."""


def seal_of(row: asyncpg.Record) -> RegisteredSeal:
    """Return the seal as it is stored: a person's under its label."""
    values = {name: row[name] for name in (*OWN, "application_id", "replaced_by")}
    return RegisteredSeal(
        **{**values, "status": SealStatus(values["status"]), "kind": SealKind(values["kind"])}
    )


def last_entry(row: asyncpg.Record) -> dict[str, Any]:
    """Return the row of the history that a seal was read with."""
    return {name: row[f"h_{name}"] for name in _CODED}


def entry_of(row: asyncpg.Record | Mapping[str, Any]) -> HistoryEntry:
    """Return an entry of the history."""
    values = {name: row[name] for name in STATES}
    return HistoryEntry(**{**values, "status": SealStatus(values["status"])})


def named(seal: RegisteredSeal, name: str) -> RegisteredSeal:
    """Return the seal under a person's name."""
    return replace(seal, name=name)
