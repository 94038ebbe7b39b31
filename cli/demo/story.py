"""What the ten steps share: the stack, the cast, what happened when, and the figures of the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from chassis.clock import CHINA_TIME, system_clock
from chassis.errors import Fault, Kind, declare
from cli.clients.citizen import Citizen
from cli.clients.kiosk import Kiosk
from cli.clients.sandbox import Sandbox
from cli.demo.registers import DemoCast
from cli.departments import Office
from cli.reach import Reach

STEP_FAILED = declare(
    "DEMO_EXPECTATION_FAILED",
    Kind.FAILED_PRECONDITION,
    "结果与预期不符：{detail}",
    "Not what the story says: {detail}",
)
WAITED_TOO_LONG = declare(
    "DEMO_WAITED_TOO_LONG",
    Kind.DEADLINE_EXCEEDED,
    "{seconds} 秒内未等到：{what}",
    "Did not happen within {seconds} s: {what}",
)
POLL_SECONDS = 0.15
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline; holds no personal data."""

    at: datetime
    county: str
    service: str
    what: str
    detail: str = ""

    def data(self) -> dict[str, str]:
        """Return it as plain values."""
        found = {"at": self.at.isoformat(), "county": self.county, "service": self.service, "what": self.what}
        return found | ({"detail": self.detail} if self.detail else {})


@dataclass(slots=True)
class Story:
    """One run of the main job."""

    reach: Reach
    cast: DemoCast
    offices: tuple[Office, ...]
    rng: random.Random
    out: Path
    kiosk: Kiosk
    sandbox: Sandbox
    changed: Callable[[], None] = lambda: None
    step: str = ""
    entries: list[Entry] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    """What ``--json`` prints."""
    citizen: Citizen | None = None
    case_id: str = ""
    labels: dict[str, tuple[str, str]] = field(default_factory=dict)
    """County and words for the ids that the services' timeline refers to."""
    seen: set[tuple[str, ...]] = field(default_factory=set)

    @property
    def person(self) -> Citizen:
        """Who is logged in at the kiosk."""
        assert self.citizen is not None
        return self.citizen

    @property
    def trust(self) -> Path:
        """Where what an offline verifier needs is kept."""
        return self.reach.layout.home / "trust"

    @property
    def today(self) -> date:
        """The day in China."""
        return system_clock().astimezone(CHINA_TIME).date()

    def note(
        self, county: str, service: str, what: str, detail: str = "", at: datetime | None = None
    ) -> None:
        """Put a line on the timeline."""
        self.entries.append(Entry(at or datetime.now(UTC), county, service, what, detail))
        self.changed()

    def begin(self, step: str) -> None:
        """Say which step runs now."""
        self.step = step
        self.changed()


def expect(holds: object, detail: str) -> None:
    """Raise DEMO_EXPECTATION_FAILED unless it holds: the demo proves what it shows."""
    if not holds:
        raise STEP_FAILED(detail=detail)


async def wait_for(what: str, look: Callable[[], Awaitable[T | None]], within_seconds: float = 60.0) -> T:
    """Return the first answer that is not None. Raises DEMO_WAITED_TOO_LONG."""
    deadline = asyncio.get_running_loop().time() + within_seconds
    while True:
        found = await look()
        if found is not None:
            return found
        if asyncio.get_running_loop().time() > deadline:
            raise WAITED_TOO_LONG(seconds=within_seconds, what=what)
        await asyncio.sleep(POLL_SECONDS)


async def or_none(asked: Awaitable[T], *codes: str) -> T | None:
    """Return an answer, None for a refusal with one of these codes."""
    try:
        return await asked
    except Fault as fault:
        if fault.code in codes:
            return None
        raise


async def follow(story: Story) -> None:
    """Take what the services wrote on the case's timeline over, in order, each line once."""
    for each in await story.person.timeline(story.case_id):
        key = (str(each["at"]), str(each["service"]), str(each["what"]), str(each.get("reference", "")))
        if key not in story.seen:
            story.seen.add(key)
            at = datetime.fromisoformat(str(each["at"]))
            county, detail = story.labels.get(key[3], (story.figures["county"], ""))
            story.note(county, str(each["service"]), str(each["what"]), detail, at=at)
