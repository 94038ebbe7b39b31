"""A running stack on each transport, and the demo told once on it."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli.demo.people import SyntheticPerson
from cli.demo.registers import make_cast
from cli.local.layout import Layout
from cli.local.state import read_state
from cli.reach import Reach
from tests.e2e.command import Command

SEED = 20_261_123


@dataclass
class Told:
    """What the demo printed and left, and who its citizen was."""

    command: Command
    bus: str
    started: dict[str, Any]
    status: int
    figures: dict[str, Any]
    out: Path
    status_after: dict[str, Any] = field(default_factory=dict)
    crowding: float = 1.0
    """How many times more was to be done on this machine while the stack started than it has cores for."""

    @property
    def citizen(self) -> SyntheticPerson:
        return make_cast(random.Random(SEED)).citizen

    @property
    def reach(self) -> Reach:
        layout = Layout(self.command.home)
        state = read_state(layout.state_file)
        assert state is not None
        return Reach(layout, state)


@pytest.fixture(scope="session", params=["postgres", pytest.param("kafka", marks=pytest.mark.kafka)])
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    """The stack of one transport after the demo; it runs until the tests of this transport are over."""
    directory = Path(tempfile.mkdtemp(prefix="tbe2e"))  # short: a socket's path may be about 100 characters
    options = ("--bus", request.param)
    if request.param == "kafka":
        options += ("--kafka-bootstrap", request.getfixturevalue("kafka_bootstrap"))
    command = Command(directory, *options)
    try:
        status, started = command("up", *options)
        assert status == 0, (started, command.logs())
        crowding = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        out = directory / "out"
        status, figures = command("demo", "--bus", request.param, "--out", str(out), "--seed", str(SEED))
        yield Told(command, request.param, started, status, figures, out, command("status")[1], crowding)
    finally:
        command.run("down")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def run_in_loop():
    """Run a coroutine to its end in a loop of its own."""
    return asyncio.run
