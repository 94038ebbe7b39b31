"""A self-service terminal: its own key, an identity-card reader, and intake's HTTP door."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey

from chassis.auth import sign_assertion
from chassis.clock import Clock, system_clock
from cli.clients.citizen import Citizen, citizen_of
from cli.clients.door import Door

AUDIENCE = "tongban-intake"


@dataclass(frozen=True, slots=True)
class CardReading:
    """What the reader (simulator) read of an identity card."""

    id_number: str = field(repr=False)
    name: str = field(repr=False)
    reader: str = "simulator"

    def values(self) -> dict[str, str]:
        """Return what the terminal's assertion is bound to."""
        return {"id_number": self.id_number, "name": self.name, "reader": self.reader}


@dataclass(frozen=True, slots=True)
class Challenge:
    """A log-in that waits for its one-time code."""

    session_id: str
    phone_masked: str
    resend_after_seconds: int


class Kiosk:
    """One terminal. It logs persons in; what a person then does is `Citizen`."""

    def __init__(self, door: Door, terminal_id: str, key: ECKey, *, now: Clock = system_clock) -> None:
        self._door, self._key, self._now = door, key, now
        self.terminal_id = terminal_id

    async def begin(self, reading: CardReading, phone: str | None = None) -> Challenge:
        """Have a one-time code sent to the person of a card; ``phone`` counts at the first log-in only."""
        body = {"assertion": self._assertion(reading), "reading": reading.values()}
        found = await self._door.ask("POST", "/v1/sessions", json=body | ({"phone": phone} if phone else {}))
        return Challenge(
            found["session_id"], found.get("phone_masked") or "", int(found["resend_after_seconds"])
        )

    async def finish(self, challenge: Challenge, code: str) -> Citizen:
        """Return the person that the code lets in, bound to this terminal."""
        found = await self._door.ask(
            "POST",
            f"/v1/sessions/{challenge.session_id}/verify",
            json={"code": code},
            headers={"x-terminal-id": self.terminal_id},
        )
        return citizen_of(self._door, self.terminal_id, found)

    async def bundle(self, bundle_id: str) -> dict[str, Any]:
        """Return a bundle of the catalogue; no log-in is needed."""
        return await self._asked("GET", f"/v1/catalogue/bundles/{bundle_id}")

    async def guide(self, kind: str, code: str, county: str, answers: dict[str, str]) -> dict[str, Any]:
        """Return the exact material list for these answers, once and in full."""
        body = {"target": {"kind": kind, "id": code}, "county": county, "answers": answers}
        return await self._asked("POST", "/v1/guides", json=body)

    async def verify_presentation(self, code: str) -> dict[str, Any]:
        """Return the public answer to a presentation code."""
        return await self._asked("POST", "/v1/verifications/presentation", json={"code": code})

    async def verify_receipt(self, receipt: str) -> dict[str, Any]:
        """Return the public answer to a receipt."""
        return await self._asked("POST", "/v1/verifications/receipt", json={"receipt": receipt})

    async def jwks(self) -> dict[str, Any]:
        """Return the public keys that verify receipts and manifests without the network."""
        return await self._asked("GET", "/.well-known/jwks.json")

    async def _asked(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        found: dict[str, Any] = await self._door.ask(method, path, **given)
        return found

    def _assertion(self, reading: CardReading) -> str:
        return sign_assertion(
            self._key, self.terminal_id, audience=AUDIENCE, now=self._now(), bound_to=reading.values()
        )
