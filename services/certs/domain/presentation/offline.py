"""The offline QR: what a registry states of a licence for at most a day, checked with its published keys alone.

``TB2.`` and a compact JWS. It names the type, the holder masked, the status and since when it was so
stated, the identifier and the end. It cannot know of a revocation after it was made: a day is what that
risk is held to. Where the licence is in the transparency log its place there comes along, with the proof
as long as the QR code stays readable (version 20): of a large log that is the place alone, by which the
proof is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.clock import CHINA_TIME
from chassis.errors import Kind, declare
from services.certs.domain.disclosure import public_identifier
from services.certs.domain.licence import Licence
from services.certs.domain.presentation.online import CLOCK_SKEW, PRESENTATION_MALFORMED
from standards.masking import mask_name

LONGEST = timedelta(hours=24)
SHORTEST = timedelta(minutes=1)
OFFLINE_PREFIX = "TB2."
OFFLINE_KIND = "licence-statement"
QR_BYTES = 858
"""What a QR code of version 20 holds at level L (ISO/IEC 18004); phones read no denser one from a screen."""
_JWS_OVERHEAD = 232
"""Header and signature of ES256 with the two dots and the prefix, in characters."""
NAME_LIMIT = 40

OFFLINE_EXPIRED = declare(
    "OFFLINE_STATEMENT_EXPIRED",
    Kind.FAILED_PRECONDITION,
    "离线二维码已过期，请持证人刷新",
    "The offline QR code has expired; ask the holder for a fresh one",
)
OFFLINE_LIFE_WRONG = declare(
    "OFFLINE_LIFE_WRONG",
    Kind.INVALID_ARGUMENT,
    "离线二维码有效时长须为 1 分钟至 24 小时",
    "Between one minute and 24 hours",
)


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where a licence's newest version stands in the transparency log: index, tree size, proof hashes in hex."""

    index: int
    tree_size: int
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """What the registry states; nothing in it is personal but the masked name."""

    handle: str
    licence_id: str
    version: int
    type_code: str
    type_name: str
    identifier: str
    holder_masked: str = field(repr=False)
    issuer_name: str
    status: str
    valid_until: str
    issued_at: datetime
    expires_at: datetime
    log: LogPlace | None = None

    def claims(self) -> dict[str, Any]:
        """Return the statement as the claims of the JWS; times are seconds since the epoch."""
        found: dict[str, Any] = {
            "jti": self.handle,
            "lid": self.licence_id,
            "v": self.version,
            "tc": self.type_code,
            "tn": self.type_name,
            "id": self.identifier,
            "hn": self.holder_masked,
            "is": self.issuer_name,
            "st": self.status,
            "vu": self.valid_until,
            "iat": int(self.issued_at.timestamp()),
            "exp": int(self.expires_at.timestamp()),
        }
        if self.log is not None:
            found["lg"] = [self.log.index, self.log.tree_size, *self.log.hashes]
        return found


def state(licence: Licence, handle: str, life: timedelta, log: LogPlace | None, now: datetime) -> Statement:
    """Return what is stated of a licence from now on; never beyond the last day of its term."""
    issued_at = now.replace(microsecond=0)
    expires_at = issued_at + min(max(life, SHORTEST), LONGEST)
    if licence.valid_until is not None:
        midnight = datetime.combine(licence.valid_until, datetime.min.time(), CHINA_TIME) + timedelta(days=1)
        expires_at = min(expires_at, midnight.astimezone(UTC))
    statement = Statement(
        handle,
        licence.licence_id,
        licence.version,
        licence.type_code,
        licence.type_name[:NAME_LIMIT],
        public_identifier(licence),
        "、".join(mask_name(holder.name) for holder in licence.holders)[:NAME_LIMIT],
        licence.issuer_name[:NAME_LIMIT],
        str(licence.usability(now)),
        licence.valid_until.isoformat() if licence.valid_until else "",
        issued_at,
        expires_at,
        log,
    )
    if log is not None and not _fits(statement):
        return replace(statement, log=replace(log, hashes=()))
    return statement


def read_statement(claims: Mapping[str, Any]) -> Statement:
    """Return the statement of claims whose signature was verified. Raises PRESENTATION_MALFORMED."""
    try:
        times = [datetime.fromtimestamp(int(claims[name]), UTC) for name in ("iat", "exp")]
        texts = {name: str(claims[name]) for name in ("jti", "lid", "tc", "tn", "id", "hn", "is", "st", "vu")}
        version = int(claims["v"])
        log = _log_place(claims.get("lg"))
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as problem:
        raise PRESENTATION_MALFORMED() from problem
    return Statement(
        texts["jti"],
        texts["lid"],
        version,
        texts["tc"],
        texts["tn"],
        texts["id"],
        texts["hn"],
        texts["is"],
        texts["st"],
        texts["vu"],
        times[0],
        times[1],
        log,
    )


def check_statement(statement: Statement, now: datetime) -> Statement:
    """Return the statement if it may be relied on at ``now``.

    The verifier MUST have checked the JWS with a key of this registry before. Raises
    OFFLINE_STATEMENT_EXPIRED, PRESENTATION_MALFORMED for one that lives longer than any of ours or is not
    made yet.
    """
    if statement.expires_at - statement.issued_at > LONGEST or statement.issued_at > now + CLOCK_SKEW:
        raise PRESENTATION_MALFORMED()
    if now >= statement.expires_at + CLOCK_SKEW:
        raise OFFLINE_EXPIRED()
    return statement


def qr_text_of(jws: str) -> str:
    """Return what the QR code shows."""
    return OFFLINE_PREFIX + jws


def offline_jws_of(qr_text: str) -> str:
    """Return the JWS of a QR text. Raises PRESENTATION_MALFORMED."""
    if not qr_text.startswith(OFFLINE_PREFIX):
        raise PRESENTATION_MALFORMED()
    return qr_text.removeprefix(OFFLINE_PREFIX)


def _fits(statement: Statement) -> bool:
    body = json.dumps(statement.claims(), ensure_ascii=False, separators=(",", ":")).encode()
    return _JWS_OVERHEAD + (len(body) + 2) // 3 * 4 <= QR_BYTES


def _log_place(value: Any) -> LogPlace | None:
    if value is None:
        return None
    index, size, *hashes = value
    return LogPlace(int(index), int(size), tuple(str(each) for each in hashes))
