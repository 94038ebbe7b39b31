"""The sandbox page of notify: where a one-time code is read instead of from a telephone."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from chassis.errors import Kind, declare
from cli.clients.door import Door

MESSAGE_NOT_SEEN = declare(
    "MESSAGE_NOT_SEEN",
    Kind.DEADLINE_EXCEEDED,
    "{seconds} 秒内未收到短信",
    "No message arrived within {seconds} seconds",
)
_CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")
_POLL_SECONDS = 0.1


class Sandbox:
    """The messages that the sandbox provider took over."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def messages(self, phone: str) -> list[dict[str, Any]]:
        """Return the newest messages to a number, newest first; the number travels in the body."""
        found: list[dict[str, Any]] = await self._door.ask(
            "POST", "/sandbox/messages/search", json={"phone": phone}
        )
        return found

    async def one_time_code(self, phone: str, *, known: int, within_seconds: float = 15.0) -> str:
        """Return the code of the message that follows the ``known`` ones. Raises MESSAGE_NOT_SEEN."""
        deadline = asyncio.get_running_loop().time() + within_seconds
        while asyncio.get_running_loop().time() < deadline:
            messages = await self.messages(phone)
            fresh = messages[: len(messages) - known]
            codes = [match[0] for each in fresh if (match := _CODE.search(each["text"]))]
            if codes:
                return codes[0]
            await asyncio.sleep(_POLL_SECONDS)
        raise MESSAGE_NOT_SEEN(seconds=within_seconds)
