"""The digest of a licence by which a register and the registry are compared day by day. No secret is in it.

A row's digest is SHA-256 over the UTF-8 bytes of one JSON array without white space, no character escaped
that JSON does not demand::

    [ZZBS, ZZLXDM, ZZBH, ZZBFJGDM, ZZBFRQ, ZZYXQQSRQ, ZZYXQJZRQ, holders, standing, face]

Days are ``YYYY-MM-DD``; an absent day and 长期 are the empty text. ``holders`` is an array of arrays
``[CZZTDMLXDM, CZZTDM, CZZT]`` in the order of the row, ``face`` an array of arrays ``[name, value]`` of the
``KZ_`` fields that hold something, ordered by name. ``standing`` is ``standing`` for a licence that nobody took
back (in force, suspended, expired), else ``cancelled``, ``revoked``, ``forfeited`` or ``replaced``. Values are
without space around. The hash of a day is the sum of its rows' digests as big-endian numbers, modulo 2^256:
the order of the rows makes no difference.

Digests are computed when they are asked for and never stored: such a digest of a row with an identity number
could be guessed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Kind, Violation, declare, refuse
from services.certs.domain.importing.codes import read_status
from services.certs.domain.importing.row import stripped
from services.certs.domain.licence import Licence
from services.certs.domain.metadata import FACE_PREFIX, SEVERAL, read_date
from services.certs.domain.status import LicenceStatus

MODULUS = 1 << 256
HASH_BYTES = 32
DAYS_LIMIT = 366
LICENCES_LIMIT = 50_000
"""Licences of one comparison: so many are decrypted in a few seconds."""

RANGE_TOO_LARGE = declare(
    "RANGE_TOO_LARGE",
    Kind.INVALID_ARGUMENT,
    "一次最多核对 {limit} 张证照，请缩小日期范围",
    "At most {limit} licences are compared at once; ask for fewer days",
)
_STANDING = frozenset({LicenceStatus.VALID, LicenceStatus.SUSPENDED, LicenceStatus.EXPIRED})


@dataclass(frozen=True, slots=True)
class DayTotal:
    """What there is of one day of issue: how many licences, and the sum of their digests."""

    day: date
    count: int
    hash: bytes


def digest(licence: Licence) -> bytes:
    """Return the digest of a registered licence."""
    holders = [[each.id_type_code, each.id_number, each.name] for each in licence.holders]
    days = (licence.issued_date, licence.valid_from, licence.valid_until)
    return _digest(
        (licence.identifier, licence.type_code, licence.number, licence.issuer_code),
        days,
        holders,
        licence.status,
        licence.face,
    )


def digest_of_row(fields: Mapping[str, str]) -> tuple[str, date, bytes]:
    """Return type, day of issue and digest of a register's row. Raises ValueError for a row without them."""
    given = stripped(fields)
    days = [
        read_date(given[name]) if name in given else None for name in ("ZZBFRQ", "ZZYXQQSRQ", "ZZYXQJZRQ")
    ]
    issued = days[0]
    if issued is None or "ZZLXDM" not in given:
        message = "a row without a type or a day of issue"
        raise ValueError(message)
    numbers, names = given.get("CZZTDM", "").split(SEVERAL), given.get("CZZT", "").split(SEVERAL)
    kinds = given.get("CZZTDMLXDM", "").split(SEVERAL)
    kinds = kinds * len(numbers) if len(kinds) == 1 else kinds
    ids = tuple(given.get(name, "") for name in ("ZZBS", "ZZLXDM", "ZZBH", "ZZBFJGDM"))
    holders = [list(each) for each in zip(kinds, numbers, names, strict=False)]
    face = {name: value for name, value in given.items() if name.startswith(FACE_PREFIX)}
    status, _ = read_status(given.get("ZZZT", ""))
    return given["ZZLXDM"], issued, _digest(ids, days, holders, status, face)


def totals(digests: Iterable[tuple[date, bytes]]) -> dict[date, DayTotal]:
    """Return what each day comes to."""
    counts: dict[date, int] = {}
    sums: dict[date, int] = {}
    for day, each in digests:
        counts[day] = counts.get(day, 0) + 1
        sums[day] = (sums.get(day, 0) + int.from_bytes(each)) % MODULUS
    return {day: DayTotal(day, counts[day], sums[day].to_bytes(HASH_BYTES)) for day in sorted(counts)}


def check_range(
    type_code: str, first: date | None, last: date | None, days: Sequence[DayTotal | None]
) -> None:
    """Refuse a comparison with every wrong field named at once; None stands for a day that cannot be read."""
    found: list[Violation] = []
    if not type_code:
        found.append(FIELD_REQUIRED.at("type_code"))
    found += [FIELD_MALFORMED.at(name) for name, day in (("first_day", first), ("last_day", last)) if not day]
    if first and last and not 0 <= (last - first).days < DAYS_LIMIT:
        found.append(FIELD_MALFORMED.at("last_day"))
    if len(days) > DAYS_LIMIT:
        found.append(FIELD_TOO_LONG.at("days", limit=DAYS_LIMIT))
    known = [each.day for each in days if each is not None]
    for at, each in enumerate(days):
        if each is None or each.count < 0 or len(each.hash) != HASH_BYTES:
            found.append(FIELD_MALFORMED.at(f"days[{at}]"))
        elif first and last and not first <= each.day <= last:
            found.append(FIELD_MALFORMED.at(f"days[{at}].day"))
    if len(set(known)) != len(known):
        found.append(FIELD_MALFORMED.at("days"))
    refuse(found)


def _digest(
    ids: Sequence[str],
    days: Sequence[date | None],
    holders: Sequence[Sequence[str]],
    status: LicenceStatus,
    face: Mapping[str, str],
) -> bytes:
    standing = "standing" if status in _STANDING else status.value
    shown = [each.isoformat() if each else "" for each in days]
    pairs = [[name, face[name]] for name in sorted(face)]
    return hashlib.sha256(_json([*ids, *shown, holders, standing, pairs]).encode()).digest()


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
