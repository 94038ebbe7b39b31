"""A person logged in at a terminal: everything the pages do, over the same HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cli.clients.door import Door


class Citizen:
    """One session. Every request carries its token and the terminal it is bound to."""

    def __init__(
        self,
        door: Door,
        terminal_id: str,
        access_token: str,
        person_id: str,
        assurance: int,
        expires_at: datetime,
    ) -> None:
        self._door = door
        self._headers = {"authorization": f"Bearer {access_token}", "x-terminal-id": terminal_id}
        self.person_id, self.assurance, self.expires_at = person_id, assurance, expires_at

    async def represent(self, uscc: str) -> dict[str, Any]:
        """Return the organisation whose business licence names the person, registered if need be."""
        return await self._ask("POST", "/v1/me/organisations", json={"uscc": uscc})

    async def act_for(self, organisation_id: str | None) -> Citizen:
        """Return the same session acting for an organisation, or for the person again."""
        body = {"organisation_id": organisation_id}
        found = await self._ask("POST", "/v1/sessions/current/acting", json=body)
        return citizen_of(self._door, self._headers["x-terminal-id"], found)

    async def create_case(
        self, kind: str, code: str, county: str, answers: Mapping[str, str], form: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return a fresh draft."""
        body = {
            "target": {"kind": kind, "id": code},
            "county": county,
            "answers": dict(answers),
            "form": dict(form),
        }
        return await self._ask("POST", "/v1/cases", json=body, key=new_key())

    async def case(self, case_id: str) -> dict[str, Any]:
        """Return an own case as it stands."""
        return await self._ask("GET", f"/v1/cases/{case_id}")

    async def materials(self, case_id: str) -> list[dict[str, Any]]:
        """Return each material with the licences found across counties and the ways out."""
        return _rows(await self._ask("GET", f"/v1/cases/{case_id}/materials"), "materials")

    async def supply(self, case_id: str, material: str, supply: Mapping[str, Any]) -> dict[str, Any]:
        """Have a material supplied by a licence, a promise or a tolerance."""
        return await self._ask(
            "PUT", f"/v1/cases/{case_id}/materials/{material}", json={"supply": dict(supply)}, key=new_key()
        )

    async def upload(
        self, case_id: str, material: str, name: str, media_type: str, content: bytes
    ) -> dict[str, Any]:
        """Have a material supplied by a file."""
        path = f"/v1/cases/{case_id}/materials/{material}/file"
        return await self._ask("POST", path, files={"file": (name, content, media_type)}, key=new_key())

    async def submit(self, case_id: str, key: str) -> dict[str, Any]:
        """Return the receipt; the same key again returns the same one."""
        return await self._ask("POST", f"/v1/cases/{case_id}/submit", key=key)

    async def timeline(self, case_id: str) -> list[dict[str, Any]]:
        """Return what happened to the case in every service."""
        return _rows(await self._ask("GET", f"/v1/cases/{case_id}/timeline"), "entries")

    async def messages(self) -> list[dict[str, Any]]:
        """Return the in-app inbox."""
        return _rows(await self._ask("GET", "/v1/inbox"), "messages")

    async def licences(self) -> list[dict[str, Any]]:
        """Return the person's own licences in every county."""
        return _rows(await self._ask("GET", "/v1/licences"), "licences")

    async def licence_document(self, licence_id: str, form: str = "ofd") -> bytes:
        """Return the sealed OFD, or its PDF."""
        path, wanted = f"/v1/licences/{licence_id}/document", {"format": form}
        return await self._door.fetch("GET", path, params=wanted, headers=dict(self._headers))

    async def uses(self, licence_id: str = "") -> list[dict[str, Any]]:
        """Return who used the person's licences, or one of them; the newest."""
        wanted = {"licence_id": licence_id} if licence_id else {}
        return _rows(await self._ask("GET", "/v1/licences/uses", params=wanted), "uses")

    async def export_uses(self, page_token: str = "") -> dict[str, Any]:
        """Return a page of the same, signed by the registry."""
        wanted = {"page_token": page_token} if page_token else {}
        return await self._ask("GET", "/v1/licences/uses/export", params=wanted)

    async def dispute(self, licence_id: str, statement: str, usage_id: str = "") -> dict[str, Any]:
        """Return the dispute opened about a use of a licence, or about what it says."""
        body = {"kind": "use" if usage_id else "content", "usage_id": usage_id, "statement": statement}
        return await self._ask("POST", f"/v1/licences/{licence_id}/disputes", json=body, key=new_key())

    async def disputes(self) -> list[dict[str, Any]]:
        """Return the person's disputes and how they stand."""
        return _rows(await self._ask("GET", "/v1/disputes"), "disputes")

    async def withdraw_dispute(self, dispute_id: str, etag: str, reason: str = "") -> dict[str, Any]:
        """Return a dispute taken back."""
        body = {"etag": etag, "reason": reason}
        return await self._ask("POST", f"/v1/disputes/{dispute_id}/withdrawal", json=body, key=new_key())

    async def entrust(self, wish: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """Return an entrustment: agent, licence_types, items, powers, valid_from, valid_until."""
        return await self._ask("POST", "/v1/entrustments", json=dict(wish), key=key or new_key())

    async def entrustments(self) -> list[dict[str, Any]]:
        """Return what the person gave and got, the newest."""
        return _rows(await self._ask("GET", "/v1/entrustments"), "entrustments")

    async def revoke_entrustment(self, entrustment_id: str, reason: str = "") -> dict[str, Any]:
        """Return an entrustment taken back, and how many use-codes went with it."""
        path = f"/v1/entrustments/{entrustment_id}/revocation"
        return await self._ask("POST", path, json={"reason": reason}, key=new_key())

    async def present(self, licence_id: str) -> dict[str, Any]:
        """Return a fresh presentation code and the text of its QR."""
        return await self._ask("POST", f"/v1/licences/{licence_id}/presentation", key=new_key())

    async def rate(self, case_id: str, grade: int, options: list[str], text: str) -> dict[str, Any]:
        """Return the rating, with the rectification order that a bad one opens."""
        body = {"grade": grade, "options": options, "text": text}
        return await self._ask("POST", f"/v1/cases/{case_id}/rating", json=body, key=new_key())

    async def archive(self, case_id: str) -> bytes:
        """Return the archive package of a closed case."""
        return await self._door.fetch("GET", f"/v1/cases/{case_id}/archive", headers=dict(self._headers))

    async def leave(self) -> None:
        """Have the session ended on the server."""
        await self._ask("DELETE", "/v1/sessions/current")

    async def _ask(self, method: str, path: str, *, key: str | None = None, **given: Any) -> dict[str, Any]:
        headers = self._headers | ({"idempotency-key": key} if key else {})
        found: dict[str, Any] = await self._door.ask(method, path, headers=headers, **given)
        return found


def citizen_of(door: Door, terminal_id: str, token: Mapping[str, Any]) -> Citizen:
    """Return the person of a token as the HTTP door answers it."""
    expires_at = datetime.fromisoformat(token["expires_at"])
    return Citizen(
        door, terminal_id, token["access_token"], token["person_id"], int(token["assurance"]), expires_at
    )


def new_key() -> str:
    """Return a fresh Idempotency-Key."""
    return str(uuid.uuid4())


def _rows(answer: Any, name: str) -> list[dict[str, Any]]:
    return list(answer[name] if isinstance(answer, dict) else answer)
