"""How a terminal proves which one it is: a one-minute assertion under its own key (RFC 7523 shape).

Single use of ``jti`` is the receiver's to enforce: it keeps the ids until they expire.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import rfc8785
import uuid_utils.compat
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from chassis.auth.keys import ALGORITHM
from chassis.errors import NOT_AUTHENTICATED

ASSERTION_TYPE = "tongban-terminal+jwt"
LIFETIME_SECONDS = 60
LEEWAY_SECONDS = 30
MAX_ASSERTION_BYTES = 2048


@dataclass(frozen=True, slots=True)
class TerminalAssertion:
    """A verified assertion: which terminal, and the id that may be used once."""

    terminal_id: str
    jti: str
    expires_at: datetime


def binding_of(values: Mapping[str, str]) -> str:
    """Return what the claim ``bnd`` holds for these values: SHA-256 in hex of their canonical JSON (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps(dict(values))).hexdigest()


def sign_assertion(
    key: ECKey,
    terminal_id: str,
    *,
    audience: str,
    now: datetime,
    bound_to: Mapping[str, str] | None = None,
) -> str:
    """Return a fresh assertion of a terminal for one receiver, bound to values sent beside it if given."""
    issued = int(now.timestamp())
    claims: dict[str, str | int] = {
        "iss": terminal_id,
        "sub": terminal_id,
        "aud": audience,
        "iat": issued,
        "exp": issued + LIFETIME_SECONDS,
        "jti": str(uuid_utils.compat.uuid7()),
    }
    if bound_to is not None:
        claims["bnd"] = binding_of(bound_to)
    header = {"alg": ALGORITHM, "kid": terminal_id}
    return jwt.encode(header, claims, key, [ALGORITHM], default_type=ASSERTION_TYPE)


def claimed_terminal(assertion: str) -> str:
    """Return which terminal an assertion claims to be of, to look up its key; nothing is proved yet.

    Raises NOT_AUTHENTICATED for an unreadable assertion.
    """
    try:
        if len(assertion) > MAX_ASSERTION_BYTES:
            raise NOT_AUTHENTICATED()
        kid = jws.extract_compact(assertion.encode()).headers().get("kid")
    except (JoseError, ValueError, TypeError, KeyError) as problem:
        raise NOT_AUTHENTICATED() from problem
    if not isinstance(kid, str) or not kid:
        raise NOT_AUTHENTICATED()
    return kid


def verify_assertion(
    assertion: str,
    key: ECKey,
    *,
    audience: str,
    now: datetime,
    bound_to: Mapping[str, str] | None = None,
) -> TerminalAssertion:
    """Return what an assertion under the terminal's registered key says.

    With ``bound_to`` it must be bound to exactly these values. Raises NOT_AUTHENTICATED.
    """
    terminal_id = claimed_terminal(assertion)
    try:
        found = jwt.decode(assertion, key, [ALGORITHM])
        jwt.JWTClaimsRegistry(
            int(now.timestamp()),
            LEEWAY_SECONDS,
            iss={"essential": True, "value": terminal_id},
            sub={"essential": True, "value": terminal_id},
            aud={"essential": True, "value": audience},
            iat={"essential": True},
            exp={"essential": True},
            jti={"essential": True},
        ).validate(found.claims)
        expires = int(found.claims["exp"])
        too_long = expires - int(found.claims["iat"]) > LIFETIME_SECONDS
    except (JoseError, ValueError, TypeError, KeyError) as problem:
        raise NOT_AUTHENTICATED() from problem
    if too_long or found.header.get("typ") != ASSERTION_TYPE:
        raise NOT_AUTHENTICATED()
    if bound_to is not None and not hmac.compare_digest(
        str(found.claims.get("bnd", "")).encode(), binding_of(bound_to).encode()
    ):
        raise NOT_AUTHENTICATED()
    return TerminalAssertion(terminal_id, str(found.claims["jti"]), datetime.fromtimestamp(expires, UTC))
