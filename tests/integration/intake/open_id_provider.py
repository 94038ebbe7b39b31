"""An OpenID provider for tests: the real protocol over TLS on this machine, and every way to lie in it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from cli.local.authority import Authority

CLIENT, SECRET = "tongban-intake", "a secret: of this+test"


def _key() -> RSAKey:
    return RSAKey.generate_key(2_048, auto_kid=True)


@dataclass
class Provider:
    """Issues codes for the one citizen that is logged in to it, as its settings say."""

    now: Callable[[], datetime]
    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    lies: dict[str, Any] = field(default_factory=dict)
    """Claims that replace the right ones in the ID token; None removes one."""
    header: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    key: RSAKey | ECKey = field(default_factory=_key)
    published: list[RSAKey | ECKey] = field(default_factory=list)
    sign: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked_for_keys: int = 0
    nonces: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.published.append(self.key)

    async def log_in(self, location: str) -> dict[str, str]:
        """Do what a browser and a citizen do at the provider; return what the browser brings back."""
        asked = dict(parse_qsl(urlsplit(location).query))
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer one request (ASGI)."""
        content = b""
        while (part := await receive())["type"] == "http.request":
            content += part["body"]
            if not part.get("more_body"):
                break
        status, body = self._answer(scope["path"], dict(scope["headers"]), content)
        kind = (b"content-type", b"application/json")
        await send({"type": "http.response.start", "status": status, "headers": [kind]})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def _answer(self, path: str, headers: dict[bytes, bytes], content: bytes) -> tuple[int, dict[str, Any]]:
        if path == "/realm/.well-known/openid-configuration":
            found = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "authorization_response_iss_parameter_supported": True,
            }
            return 200, {**found, **self.metadata}
        if path == "/realm/keys":
            self.asked_for_keys += 1
            return 200, dict(KeySet(list(self.published)).as_dict(private=False))
        return self._redeem(headers, {name: values[0] for name, values in parse_qs(content.decode()).items()})

    def _redeem(self, headers: dict[bytes, bytes], given: dict[str, str]) -> tuple[int, dict[str, Any]]:
        expected = base64.b64encode(b"tongban-intake:a+secret%3A+of+this%2Btest").decode()
        if headers.get(b"authorization") != f"Basic {expected}".encode():
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(given.get("code", ""), None)  # a code is redeemed once
        proof = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != given["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self._token(asked["nonce"])}

    def _token(self, nonce: str) -> str:
        now = int(self.now().timestamp())
        right = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "s-1",
            "iat": now,
            "exp": now + 300,
            "auth_time": now - 5,
            "nonce": nonce,
            **self.claims,
        }
        claims = {name: value for name, value in {**right, **self.lies}.items() if value is not None}
        header = {
            "alg": "ES256" if isinstance(self.key, ECKey) else "RS256",
            "kid": self.key.kid,
            **self.header,
        }
        if self.sign is not None:
            return self.sign(header, claims)
        return jwt.encode(header, claims, self.key, [header["alg"]])


@asynccontextmanager
async def open_id_provider(provider: Provider, authority: Authority) -> AsyncIterator[Provider]:
    """Serve a provider on this machine; its issuer is known afterwards."""
    files = authority.leaf("provider", "provider", authority.local_names)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    provider.issuer = f"https://127.0.0.1:{listener.getsockname()[1]}/realm"
    config = uvicorn.Config(
        provider,  # type: ignore[arg-type]
        ssl_certfile=str(files.certificate),
        ssl_keyfile=str(files.key),
        lifespan="off",
        log_level="critical",
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield provider
    finally:
        server.should_exit = True
        await task
        listener.close()


def without_signature(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return an unsigned token (``alg: none``)."""
    parts = ({**header, "alg": "none"}, claims)
    encoded = (base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in parts)
    return ".".join(encoded) + "."


def brought_back(answer: httpx.Response) -> str:
    """Return the cookie that a browser keeps of an answer."""
    return answer.headers["set-cookie"].split(";")[0]
