"""The rotating code: shown for half a minute, good for one more, scanned once; with a signed summary of that minute.

``qr_text`` is ``TB1.`` and a compact JWS over the summary; it holds no personal data. Offline, the
summary proves that this registry vouched for this licence moments ago; only online is the scan
counted and the licence shown.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.errors import Kind, declare
from services.certs.domain.licence import Licence, Sealing
from services.certs.domain.status import LicenceStatus

STEP = timedelta(seconds=30)
"""How long a screen shows one code; then it asks for the next."""
LIFE = 2 * STEP
"""[M]: no rule names the life of a show code; one step more than it is shown, for whoever was scanning it.
A minute is long enough for a scanner, too short for a photo."""
CLOCK_SKEW = timedelta(seconds=30)
PREFIX = "TB1."
KIND = "presentation"
_HANDLE_BYTES = 16

PRESENTATION_UNKNOWN = declare(
    "PRESENTATION_UNKNOWN", Kind.NOT_FOUND, "亮证码不存在或已失效", "No such presentation code"
)
PRESENTATION_EXPIRED = declare(
    "PRESENTATION_EXPIRED",
    Kind.FAILED_PRECONDITION,
    "亮证码已过期，请持证人刷新",
    "The presentation code has expired; ask the holder for a fresh one",
)
PRESENTATION_SCANNED = declare(
    "PRESENTATION_SCANNED",
    Kind.FAILED_PRECONDITION,
    "亮证码已被扫描过，不能重复使用",
    "The presentation code was scanned before",
)
PRESENTATION_MALFORMED = declare(
    "PRESENTATION_MALFORMED", Kind.INVALID_ARGUMENT, "不是有效的亮证二维码", "Not a presentation QR code"
)


@dataclass(frozen=True, slots=True)
class Showing:
    """A code on record: what it shows, until when, and when it was scanned."""

    licence_id: str
    expires_at: datetime
    scanned_at: datetime | None
    entrustment_id: str
    """Under which an agent shows it; empty where the holder does."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a QR code says on its own: which licence, of which type and status, until when."""

    handle: str
    licence_id: str
    type_code: str
    status: str
    issued_at: datetime
    expires_at: datetime

    def claims(self) -> dict[str, Any]:
        """Return the summary as the claims of the JWS; times are seconds since the epoch."""
        return {
            "jti": self.handle,
            "typ": KIND,
            "lid": self.licence_id,
            "tc": self.type_code,
            "st": self.status,
            "iat": int(self.issued_at.timestamp()),
            "exp": int(self.expires_at.timestamp()),
        }


def code_digest(code: str) -> bytes:
    """Return the SHA-256 by which a code is kept and found; codes carry 192 random bits, so it needs no key."""
    return hashlib.sha256(code.encode()).digest()


def handle_of(code: str) -> str:
    """Return the first 128 bits of a code's digest, base64url: names the code without giving it away."""
    return base64.urlsafe_b64encode(code_digest(code)[:_HANDLE_BYTES]).rstrip(b"=").decode()


def summarise(licence: Licence, code: str, now: datetime) -> Summary:
    """Return the summary for a fresh code, cut to whole seconds so that code and claims agree."""
    issued_at = now.replace(microsecond=0)
    return Summary(
        handle_of(code),
        licence.licence_id,
        licence.type_code,
        str(licence.usability(now)),
        issued_at,
        issued_at + LIFE,
    )


def read_summary(claims: Mapping[str, Any]) -> Summary:
    """Return the summary of claims whose signature was verified. Raises PRESENTATION_MALFORMED."""
    try:
        if claims["typ"] != KIND:
            raise PRESENTATION_MALFORMED()
        times = [datetime.fromtimestamp(int(claims[name]), UTC) for name in ("iat", "exp")]
        texts = [str(claims[name]) for name in ("jti", "lid", "tc", "st")]
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as problem:
        raise PRESENTATION_MALFORMED() from problem
    return Summary(texts[0], texts[1], texts[2], texts[3], times[0], times[1])


def check_offline(summary: Summary, now: datetime) -> Summary:
    """Return the summary if it may be relied on at ``now`` without the network.

    The verifier MUST have checked the JWS with a key of this registry before. Single use cannot be
    checked offline. Raises PRESENTATION_EXPIRED, PRESENTATION_MALFORMED.
    """
    if summary.expires_at - summary.issued_at > LIFE or summary.issued_at > now + CLOCK_SKEW:
        raise PRESENTATION_MALFORMED()
    if now >= summary.expires_at + CLOCK_SKEW:
        raise PRESENTATION_EXPIRED()
    return summary


def jws_of(qr_text: str) -> str:
    """Return the JWS of a QR text. Raises PRESENTATION_MALFORMED."""
    if not qr_text.startswith(PREFIX):
        raise PRESENTATION_MALFORMED()
    return qr_text.removeprefix(PREFIX)


NOT_IN_FORCE = "NOT_IN_FORCE"


def verdict(licence: Licence, sealing: Sealing, document_intact: bool | None, now: datetime) -> str:
    """Return what an inspector is told.

    ``VALID``: in force, and the sealed document verified when it was issued and is unchanged.
    ``NOT_IN_FORCE``: the status says so. ``UNSEALED``: in force, but the registry keeps no sealed
    document (imported stock). ``INDETERMINATE``: the seal could not be judged. ``INVALID``: the
    document was changed or its seal does not hold.
    """
    if licence.usability(now) is not LicenceStatus.VALID:
        return NOT_IN_FORCE
    if document_intact is None:
        return "UNSEALED"
    if not document_intact:
        return "INVALID"
    return sealing.verdict or "INDETERMINATE"
