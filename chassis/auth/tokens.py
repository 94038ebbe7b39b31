"""Bearer tokens of acting persons: signed by intake, short-lived, verified by every service (RFC 7519)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import uuid_utils.compat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from chassis.auth.keys import ALGORITHM
from chassis.auth.live import KeySource, KeysSource, key_of, keys_of, retired
from chassis.auth.person import ActingPerson
from chassis.clock import Clock, system_clock
from chassis.errors import NOT_AUTHENTICATED

AUDIENCE = "tongban"
TOKEN_TYPE = "tongban-person+jwt"  # noqa: S105 - a media type
LIFETIME_SECONDS = 600
LEEWAY_SECONDS = 5
MAX_TOKEN_BYTES = 4096
MAX_CACHED = 4096


class TokenSigner:
    """Signs tokens with one key, or with the one that a file holds now; only intake has one."""

    def __init__(self, key: KeySource, issuer: str, *, now: Clock = system_clock) -> None:
        self._key, self._issuer, self._now = key, issuer, now

    def sign(
        self, person: ActingPerson, *, lifetime_seconds: int = LIFETIME_SECONDS, audience: str = AUDIENCE
    ) -> str:
        """Return a token for the person, valid from now."""
        now = int(self._now().timestamp())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": audience,
            "sub": person.person_id,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime_seconds,
            "jti": str(uuid_utils.compat.uuid7()),
            "acr": person.assurance,
            "sid": person.session_id,
            "terminal_id": person.terminal_id,
            "acting_for": person.acting_for,
            "roles": list(person.roles),
        }
        given = {name: value for name, value in claims.items() if value not in (None, [])}
        key = key_of(self._key)
        header = {"alg": ALGORITHM, "kid": key.kid}
        return jwt.encode(header, given, key, [ALGORITHM], default_type=TOKEN_TYPE)


class TokenVerifier:
    """Verifies tokens and remembers verified ones until they expire (a check costs about 160 µs)."""

    def __init__(
        self,
        keys: KeysSource,
        issuer: str,
        *,
        audience: str = AUDIENCE,
        now: Clock = system_clock,
        ended: Callable[[str], bool] | None = None,
        max_cached: int = MAX_CACHED,
    ) -> None:
        self._keys, self._now, self._max_cached = keys, now, max_cached
        self._ended = ended
        """Says whether a session was ended before its tokens expire; asked on every call."""
        self._required: dict[str, Any] = {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": audience},
            "sub": {"essential": True},
            "exp": {"essential": True},
            "nbf": {"essential": True},
            "acr": {"essential": True},
        }
        self._verified: OrderedDict[bytes, tuple[ActingPerson, int]] = OrderedDict()
        self._verified_with: KeySet | None = None

    def verify(self, token: str) -> ActingPerson:
        """Return the person of a valid token. Raises NOT_AUTHENTICATED for any other."""
        if len(token) > MAX_TOKEN_BYTES:
            raise NOT_AUTHENTICATED()
        mark = hashlib.sha256(token.encode()).digest()
        self._forget_old_keys(keys_of(self._keys))
        person, expires_at = self._verified.get(mark) or self._check(token)
        if expires_at <= self._now().timestamp():
            self._verified.pop(mark, None)
            raise NOT_AUTHENTICATED()
        if self._ended is not None and person.session_id and self._ended(person.session_id):
            raise NOT_AUTHENTICATED()
        self._remember(mark, person, expires_at)
        return person

    def _check(self, token: str) -> tuple[ActingPerson, int]:
        now = int(self._now().timestamp())
        try:
            found, keys = self._decode(token)
            kid = found.header.get("kid")
            if found.header.get("typ") != TOKEN_TYPE or not kid or retired(keys, kid, now):
                raise NOT_AUTHENTICATED()
            jwt.JWTClaimsRegistry(now, LEEWAY_SECONDS, **self._required).validate(found.claims)
            return _person(found.claims), int(found.claims["exp"])
        except (JoseError, ValueError, TypeError, KeyError) as problem:
            raise NOT_AUTHENTICATED() from problem

    def _decode(self, token: str) -> tuple[jwt.Token, KeySet]:
        """Return the token and the keys it was checked with; intake may sign with a key we have not read yet."""
        keys = keys_of(self._keys)
        try:
            return jwt.decode(token, keys, [ALGORITHM]), keys
        except (JoseError, ValueError):
            newest = keys if isinstance(self._keys, KeySet) else self._keys.look()
            if newest is keys:
                raise
            return jwt.decode(token, newest, [ALGORITHM]), newest

    def _forget_old_keys(self, keys: KeySet) -> None:
        """Have tokens checked anew once the keys have changed: one of them may be retired."""
        if self._verified_with is not keys:
            self._verified_with = keys
            self._verified.clear()

    def _remember(self, mark: bytes, person: ActingPerson, expires_at: int) -> None:
        self._verified[mark] = person, expires_at
        self._verified.move_to_end(mark)
        while len(self._verified) > self._max_cached:
            self._verified.popitem(last=False)


def _person(claims: dict[str, Any]) -> ActingPerson:
    return ActingPerson(
        person_id=str(claims["sub"]),
        assurance=int(claims["acr"]),
        terminal_id=claims.get("terminal_id"),
        session_id=claims.get("sid"),
        acting_for=claims.get("acting_for"),
        roles=tuple(str(role) for role in claims.get("roles", ())),
    )
