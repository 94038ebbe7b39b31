"""The offline QR: what a registry states of a licence for at most a day, checked with its published keys alone.

The statement is a JWS. It names the type, the holder masked, the status and since when it was so stated,
the identifier and the end. It cannot know of a revocation after it was made: a day is what that risk is
held to. With it goes the proof that the licence's newest state is in the transparency log; the statement
names that proof by its digest, so that neither can be exchanged. A statement without one says that the
log has not taken this state yet.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.errors import Kind, declare
from services.certs.domain.disclosure import public_identifier
from services.certs.domain.licence import Licence
from services.certs.domain.life.history import term_over_at
from services.certs.domain.presentation.online import CLOCK_SKEW, PRESENTATION_MALFORMED
from standards.masking import mask_name

LONGEST = timedelta(hours=24)
SHORTEST = timedelta(minutes=1)
OFFLINE_KIND = "licence-statement"
NAME_LIMIT = 40
_DIGEST_BYTES = 16
_LENGTH_BYTES = 4

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
class LogEvidence:
    """What shows that a licence's newest state is in the transparency log (日志存证): its leaf and a compact proof."""

    leaf: bytes
    proof: bytes

    @property
    def digest(self) -> str:
        """Return the first 128 bits of the SHA-256 over both, base64url: by this a statement names them."""
        content = len(self.leaf).to_bytes(_LENGTH_BYTES) + self.leaf + self.proof
        found = hashlib.sha256(content).digest()[:_DIGEST_BYTES]
        return base64.urlsafe_b64encode(found).rstrip(b"=").decode()


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
    log_digest: str = ""
    """Of the `LogEvidence` that goes with it; empty while the log has not taken this state."""
    entrustment_id: str = ""
    """Under which an agent shows it; empty where the holder does."""

    def claims(self) -> dict[str, Any]:
        """Return the statement as the claims of the JWS; times are seconds since the epoch."""
        agents = {"en": self.entrustment_id} if self.entrustment_id else {}
        return agents | {
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
            "lg": self.log_digest,
        }


def state(
    licence: Licence, handle: str, life: timedelta, log: LogEvidence | None, now: datetime
) -> Statement:
    """Return what is stated of a licence from now on; never beyond the last day of its term."""
    issued_at = now.replace(microsecond=0)
    expires_at = issued_at + min(max(life, SHORTEST), LONGEST)
    if licence.valid_until is not None:
        expires_at = min(expires_at, term_over_at(licence.valid_until))
    return Statement(
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
        log.digest if log else "",
    )


_TEXTS = ("jti", "lid", "tc", "tn", "id", "hn", "is", "st", "vu", "lg")


def read_statement(claims: Mapping[str, Any]) -> Statement:
    """Return the statement of claims whose signature was verified. Raises PRESENTATION_MALFORMED."""
    try:
        times = [datetime.fromtimestamp(int(claims[name]), UTC) for name in ("iat", "exp")]
        texts = {name: str(claims[name]) for name in _TEXTS}
        texts["en"] = str(claims.get("en", ""))
        version = int(claims["v"])
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
        texts["lg"],
        texts["en"],
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
