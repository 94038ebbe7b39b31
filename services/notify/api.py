"""The sandbox page: what the sandbox provider took over. Mounted outside production only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader
from pydantic import BaseModel, ConfigDict

from chassis.clock import CHINA_TIME
from services.notify.usecases.ports import TakenMessage

_pages = Environment(loader=PackageLoader("services.notify", "pages"), autoescape=True)
NEWEST = 50


class Sandbox(Protocol):
    """What the page needs of the sandbox provider."""

    async def newest(self, limit: int, phone: str | None = None) -> Sequence[TakenMessage]:
        """Return what was taken over, newest first."""


class PhoneQuery(BaseModel):
    """A number to look for; in the body, so that it stands in no URL."""

    model_config = ConfigDict(extra="forbid")

    phone: str


class SandboxMessage(BaseModel):
    """One short message."""

    message_id: UUID
    phone: str
    text: str
    taken_at: datetime


def sandbox_routes(sandbox: Sandbox) -> APIRouter:
    """Return the routes of the sandbox page."""
    router = APIRouter(prefix="/sandbox", tags=["sandbox"])

    @router.get("/messages", response_class=HTMLResponse)
    async def page() -> str:
        """Show the newest messages to a person."""
        messages = [_shown(each) for each in await sandbox.newest(NEWEST)]
        return _pages.get_template("sandbox.html").render(messages=messages)

    @router.post("/messages/search")
    async def search(query: PhoneQuery) -> list[SandboxMessage]:
        """Return the newest messages to one number."""
        return [
            SandboxMessage(
                message_id=each.message_id, phone=each.phone, text=each.text, taken_at=each.taken_at
            )
            for each in await sandbox.newest(NEWEST, query.phone)
        ]

    return router


def _shown(each: TakenMessage) -> dict[str, str]:
    return {
        "taken_at": each.taken_at.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S"),
        "phone": each.phone,
        "text": each.text,
    }
