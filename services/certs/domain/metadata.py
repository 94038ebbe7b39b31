"""The metadata record of a licence (GB/T 36903): short names, dates, and the record of one of ours."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from services.certs.domain.holder import HOLDER_ID_TYPES
from services.certs.domain.licence import Licence

UNLIMITED = "长期"
UNLIMITED_YEAR = 9999
"""The year by which registers with a date column write 长期."""
SEVERAL = "^"
"""Separates several holders, names and codes in the same order (the caret form of GB/T 36902)."""

MANDATORY = (
    "ZZMC",
    "ZZLXDM",
    "ZZBH",
    "ZZBS",
    "ZZBFJG",
    "ZZBFJGDM",
    "ZZBFRQ",
    "CZZT",
    "CZZTDM",
    "CZZTDMLXDM",
)
OPTIONAL = (
    "CZZTDMLX",
    "ZZYXQQSRQ",
    "ZZYXQJZRQ",
    "ZZBGSJ",
    "ZZBGYY",
    "ZZQZR",
    "ZZQZSJ",
    "ZZQZMC",
    "ZZZT",
)
FACE_PREFIX = "KZ_"

_DATE = re.compile(r"(\d{4})[-/年.]?(\d{1,2})[-/月.]?(\d{1,2})日?")


@lru_cache(maxsize=20_000)  # a register has few different days, each on many rows
def read_date(text: str) -> date | None:
    """Return the day of ``2026-03-09``, ``20260309``, ``2026/3/9`` or ``2026年3月9日``; None for 长期, also as a day of the year 9999.

    Raises ValueError for anything else.
    """
    if text == UNLIMITED:
        return None
    found = _DATE.fullmatch(text)
    if found is None:
        message = "not a date"
        raise ValueError(message)
    day = date(int(found[1]), int(found[2]), int(found[3]))
    return None if day.year == UNLIMITED_YEAR else day


def write_date(day: date | None) -> str:
    """Return ``YYYY-MM-DD``, or 长期 for no end."""
    return day.isoformat() if day else UNLIMITED


def record_of(licence: Licence) -> dict[str, str]:
    """Return the metadata record of a licence by short name, in the order of the standard.

    It holds personal data: it belongs inside the document, nowhere else.
    """
    holders = licence.holders
    kinds = [holder.id_type_code for holder in holders]
    record = {
        "ZZMC": licence.type_name,
        "ZZLXDM": licence.type_code,
        "ZZBH": licence.number,
        "ZZBS": licence.identifier,
        "ZZBFJG": licence.issuer_name,
        "ZZBFJGDM": licence.issuer_code,
        "ZZBFRQ": licence.issued_date.isoformat(),
        "CZZT": SEVERAL.join(holder.name for holder in holders),
        "CZZTDM": SEVERAL.join(holder.id_number for holder in holders),
        "CZZTDMLX": SEVERAL.join(HOLDER_ID_TYPES.get(kind, "其他") for kind in kinds),
        "CZZTDMLXDM": SEVERAL.join(kinds),
        "ZZYXQQSRQ": write_date(licence.valid_from or licence.issued_date),
        "ZZYXQJZRQ": write_date(licence.valid_until),
    }
    return record | dict(licence.face)
