"""The relying party of OpenID Connect: authorisation code with PKCE, one pinned issuer, signed ID tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import SecretStr

from chassis.clock import Clock
from chassis.egress import Egress
from chassis.errors import Fault
from chassis.logs import get_logger
from services.intake.domain.identity.platform_log_in import PLATFORM_LOG_IN_REFUSED, Attempt, ProvedIdentity

SCOPE = "openid profile phone"
LEEWAY_SECONDS = 30
MAX_AGE_SECONDS = 900
"""How long ago the person may have logged in to the platform."""
METADATA_SECONDS = 3_600.0
LOOK_AGAIN_SECONDS = 60.0
"""How often an unknown key makes us read the platform's keys again."""
MAX_TOKEN_BYTES = 16 * 1024
ALGORITHMS = ("RS256", "PS256", "ES256", "ES384")
"""Only asymmetric ones: a public key can never serve as a secret (RFC 8725, 3.1)."""
_OK = 200

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """As whom we ask which platform, and how its claims are read."""

    issuer: str
    client_id: str
    client_secret: SecretStr
    redirect_uri: str
    acr_levels: Mapping[str, int]
    """Real-name level by ``acr``; another one is worth nothing."""
    id_number_claim: str = "id_number"


@dataclass(slots=True)
class _Known:
    """What the platform publishes, and when it was read."""

    metadata: dict[str, Any] = field(default_factory=dict)
    metadata_at: float = -METADATA_SECONDS
    keys: KeySet | None = None
    keys_at: float = -LOOK_AGAIN_SECONDS


class OpenIdPlatform:
    """The port ``Platform``."""

    def __init__(self, party: RelyingParty, egress: Egress, now: Clock) -> None:
        self._party, self._egress, self._now = party, egress, now
        self._known = _Known()

    async def authorisation_url(self, attempt: Attempt) -> str:
        """Return where a browser begins; nothing personal is in it."""
        metadata = await self._metadata()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=")
        asked = {
            "response_type": "code",
            "client_id": self._party.client_id,
            "redirect_uri": self._party.redirect_uri,
            "scope": SCOPE,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
            "max_age": str(MAX_AGE_SECONDS),
            "acr_values": " ".join(self._party.acr_levels),
        }
        endpoint = str(metadata["authorization_endpoint"])
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def prove(self, code: str, attempt: Attempt, issuer: str | None) -> ProvedIdentity:
        """Redeem the code and return who the ID token names. Raises PLATFORM_LOG_IN_REFUSED, EGRESS_FAILED."""
        metadata = await self._metadata()
        named = metadata.get("authorization_response_iss_parameter_supported") is True
        if issuer != self._party.issuer and (named or issuer is not None):
            raise _refused("iss")  # RFC 9207: an answer of another platform
        token = await self._redeem(str(metadata["token_endpoint"]), code, attempt)
        return self._proved(await self._claims(token, attempt))

    async def _redeem(self, endpoint: str, code: str, attempt: Attempt) -> str:
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._party.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        pair = (self._party.client_id, self._party.client_secret.get_secret_value())
        basic = base64.b64encode(":".join(quote_plus(each) for each in pair).encode()).decode()
        answer = await self._egress.request(
            "POST",
            endpoint,
            content=urlencode(given).encode(),
            headers={
                "content-type": "application/x-www-form-urlencoded",
                "accept": "application/json",
                "authorization": f"Basic {basic}",
            },
        )
        token = _object(answer.content).get("id_token") if answer.status_code == _OK else None
        if not isinstance(token, str) or len(token) > MAX_TOKEN_BYTES:
            raise _refused(f"token endpoint {answer.status_code}")
        return token

    async def _claims(self, token: str, attempt: Attempt) -> dict[str, Any]:
        try:
            found = jwt.decode(token, await self._keys(token), list(ALGORITHMS))
            registry = jwt.JWTClaimsRegistry(
                int(self._now().timestamp()),
                LEEWAY_SECONDS,
                iss={"essential": True, "value": self._party.issuer},
                aud={"essential": True, "value": self._party.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": attempt.nonce},
            )
            registry.validate(found.claims)
        except (JoseError, ValueError, TypeError, KeyError) as problem:
            raise _refused(type(problem).__name__) from problem
        self._check_party_and_moment(found.claims)
        return found.claims

    def _check_party_and_moment(self, claims: Mapping[str, Any]) -> None:
        audience, party = claims["aud"], claims.get("azp")
        if isinstance(audience, list) and len(audience) > 1 and party is None:
            raise _refused("azp")
        if party is not None and party != self._party.client_id:
            raise _refused("azp")
        at, now = claims.get("auth_time"), self._now().timestamp()
        if not isinstance(at, int) or isinstance(at, bool):
            raise _refused("auth_time")
        if not now - MAX_AGE_SECONDS - LEEWAY_SECONDS <= at <= now + LEEWAY_SECONDS:
            raise _refused("auth_time")

    def _proved(self, claims: Mapping[str, Any]) -> ProvedIdentity:
        number, name, acr = claims.get(self._party.id_number_claim), claims.get("name"), claims.get("acr")
        if not isinstance(number, str) or not isinstance(name, str):
            raise _refused("claims")
        checked = claims.get("phone_number_verified") is True
        phone = claims.get("phone_number") if checked else ""
        level = self._party.acr_levels.get(acr, 0) if isinstance(acr, str) else 0
        return ProvedIdentity(number, name, _national(phone) if isinstance(phone, str) else "", level)

    async def _metadata(self) -> dict[str, Any]:
        if time.monotonic() - self._known.metadata_at < METADATA_SECONDS and self._known.metadata:
            return self._known.metadata
        found = await self._read(f"{self._party.issuer.rstrip('/')}/.well-known/openid-configuration")
        places = [found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        secure = all(isinstance(each, str) and each.startswith("https://") for each in places)
        if found.get("issuer") != self._party.issuer or not secure:
            raise _refused("metadata")
        self._known.metadata, self._known.metadata_at = found, time.monotonic()
        return found

    async def _keys(self, token: str) -> KeySet:
        """Return the platform's keys, read again for a key that is not known, but not for ever again."""
        wanted = _object(_decoded(token.partition(".")[0])).get("kid")
        if not isinstance(wanted, str):
            raise _refused("kid")
        keys = self._known.keys
        known = keys is not None and any(key.kid == wanted for key in keys.keys)
        if not known and time.monotonic() - self._known.keys_at >= LOOK_AGAIN_SECONDS:
            self._known.keys_at = time.monotonic()
            keys = self._known.keys = _signing_keys(
                await self._read(str((await self._metadata())["jwks_uri"]))
            )
        if keys is None:
            raise _refused("keys")
        return keys

    async def _read(self, url: str) -> dict[str, Any]:
        answer = await self._egress.request("GET", url, headers={"accept": "application/json"})
        if answer.status_code != _OK:
            raise _refused(f"answer {answer.status_code}")
        return _object(answer.content)


def _signing_keys(published: Mapping[str, Any]) -> KeySet:
    found = [
        each
        for each in published.get("keys") or []
        if isinstance(each, dict) and each.get("kty") in {"RSA", "EC"} and each.get("use", "sig") == "sig"
    ]
    try:
        return KeySet.import_key_set({"keys": found})
    except (JoseError, ValueError, TypeError, KeyError) as problem:
        raise _refused("keys") from problem


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as problem:
        raise _refused("json") from problem
    if not isinstance(found, dict):
        raise _refused("json")
    return found


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as problem:
        raise _refused("token") from problem


def _national(phone: str) -> str:
    return phone.removeprefix("+86").replace(" ", "").replace("-", "")


def _refused(cause: str) -> Fault:
    log.warning("platform_log_in_refused", cause=cause)
    return PLATFORM_LOG_IN_REFUSED()
