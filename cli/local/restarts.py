"""Asking a running stack to replace its services one after the other, from another process.

The question is a file that the supervisor takes away, the answer another: no port, no signal that an
older supervisor would die of.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from chassis.errors import Fault
from cli.local.faults import STACK_DID_NOT_START
from cli.local.layout import Layout
from cli.local.state import Failure, read_state
from cli.local.supervisor import STOP_TIMEOUT_SECONDS, SUCCESSOR_READY_SECONDS, Supervisor

_POLL_SECONDS = 0.1


class Restart(BaseModel):
    """What is asked for, then what became of it."""

    asked_id: str
    services: list[str]
    seconds: dict[str, float] = Field(default_factory=dict)
    """Per replaced service: from the start of its successor until the old process was gone."""
    failure: Failure | None = None


def restart(layout: Layout, services: list[str]) -> dict[str, float]:
    """Have services replaced one at a time without a moment in which nobody serves; return seconds of each.

    Raises SUCCESSOR_NOT_READY (the old process of that service, and those not reached yet, serve on).
    """
    asked = Restart(asked_id=str(uuid.uuid4()), services=services)
    _write(_question(layout), asked)
    deadline = time.monotonic() + len(services) * (SUCCESSOR_READY_SECONDS + STOP_TIMEOUT_SECONDS)
    while time.monotonic() < deadline:
        state, answer = read_state(layout.state_file), _read(_answer(layout))
        if answer is not None and answer.asked_id == asked.asked_id:
            if answer.failure:
                raise answer.failure.fault()
            return answer.seconds
        if state is None or not state.supervised:
            break
        time.sleep(_POLL_SECONDS)
    raise STACK_DID_NOT_START(detail="the supervisor does not answer", logs=layout.logs)


async def answer_restarts(layout: Layout, supervisor: Supervisor) -> None:
    """Do what was asked for since the last look, and leave the answer."""
    asked = _read(_question(layout))
    if asked is None:
        return
    _question(layout).unlink(missing_ok=True)
    try:
        for name in asked.services:
            asked.seconds[name] = round(await supervisor.replace(name), 2)
    except Fault as fault:
        asked.failure = Failure(reason=fault.code, zh=fault.zh, en=fault.en)
    _write(_answer(layout), asked)


def _question(layout: Layout) -> Path:
    return layout.home / "run" / "restart.asked"


def _answer(layout: Layout) -> Path:
    return layout.home / "run" / "restart.answered"


def _read(path: Path) -> Restart | None:
    with contextlib.suppress(FileNotFoundError, ValidationError):
        return Restart.model_validate_json(path.read_text())
    return None


def _write(path: Path, content: Restart) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(content.model_dump_json())
    fresh.replace(path)
