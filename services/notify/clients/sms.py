"""Short messages over a gateway's HTTP interface; one adapter for every gateway that speaks it.

``POST <url>/messages`` with ``Idempotency-Key: <message_id>`` and ``{"message_id", "phone", "text"}``:
2xx or 409 taken; 400, 413 and 422 refused for good; 401, 403, 404, 429 and 503 surely not taken; anything
else, and no answer, is unknown. ``GET <url>/messages/<message_id>``: 200 with ``{"state": "taken" |
"refused"}``, 404 when it has nothing of it. The bearer token comes from a secret file. The same key twice
is one message, as every gateway that we may use has to promise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import httpx
from pydantic import SecretStr

from chassis.egress import EGRESS_REFUSED, Egress
from chassis.errors import Fault
from chassis.failures import describe
from chassis.logs import get_logger
from services.notify.domain.message import Outcome
from services.notify.usecases.ports import Contents

SEND_SECONDS = 4.0
"""For one exchange with a gateway; sending and asking together stay below `Carriage.longest_call`."""
_REFUSED = {400, 413, 422}
_NOT_TAKEN = {401, 403, 404, 429, 503}
_STATES = {"taken": Outcome.TAKEN, "refused": Outcome.REFUSED}

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where a gateway answers, ``https://host[:port][/path]``, and what opens it."""

    name: str
    url: str
    token: SecretStr


class SmsProvider:
    """Implements the port Provider over one gateway."""

    def __init__(self, gateway: Gateway, egress: Egress) -> None:
        self.name = gateway.name
        self._url = f"{gateway.url.rstrip('/')}/messages"
        self._token, self._egress = gateway.token, egress

    async def send(self, message_id: UUID, contents: Contents) -> Outcome:
        """Hand a message over; its id is the key under which the gateway takes it once."""
        body = {"message_id": str(message_id), "phone": contents.address, "text": contents.text}
        sent = {"idempotency-key": str(message_id), "content-type": "application/json"}
        try:
            answer = await self._egress.request(
                "POST", self._url, content=json.dumps(body).encode(), headers=self._headers(sent)
            )
        except Fault as problem:
            log.warning("sms_gateway_failed", provider=self.name, cause=describe(problem))
            return Outcome.REFUSED_FOR_NOW if _never_left(problem) else Outcome.UNKNOWN
        return self._outcome(answer.status_code)

    async def find(self, message_id: UUID) -> Outcome:
        """Say what the gateway has of a message."""
        try:
            answer = await self._egress.request("GET", f"{self._url}/{message_id}", headers=self._headers({}))
        except Fault as problem:
            log.warning("sms_gateway_failed", provider=self.name, cause=describe(problem))
            return Outcome.UNKNOWN
        if answer.status_code == httpx.codes.NOT_FOUND:
            return Outcome.NEVER_ARRIVED
        return _state(answer) if answer.status_code == httpx.codes.OK else Outcome.UNKNOWN

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**more, "authorization": f"Bearer {self._token.get_secret_value()}"}

    def _outcome(self, status: int) -> Outcome:
        if httpx.codes.is_success(status) or status == httpx.codes.CONFLICT:
            return Outcome.TAKEN
        log.warning("sms_gateway_said_no", provider=self.name, status=status)
        if status in _REFUSED:
            return Outcome.REFUSED
        return Outcome.REFUSED_FOR_NOW if status in _NOT_TAKEN else Outcome.UNKNOWN


def _never_left(problem: Fault) -> bool:
    """Tell whether a call ended before anything of the message was on its way."""
    before = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    return problem.reason is EGRESS_REFUSED or isinstance(problem.__cause__, before)


def _state(answer: httpx.Response) -> Outcome:
    try:
        content = answer.json()
    except ValueError:
        return Outcome.UNKNOWN
    state = content.get("state") if isinstance(content, dict) else None
    return _STATES.get(state, Outcome.UNKNOWN) if isinstance(state, str) else Outcome.UNKNOWN
