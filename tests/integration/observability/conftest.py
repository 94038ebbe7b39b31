"""One local stack that is watched: its spans go to a collector, its metrics to Prometheus; the demo was told on it."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chassis.rpc.peer import Peer
from chassis.rpc.tls import TlsFiles
from cli.demo.people import SyntheticPerson
from cli.demo.registers import make_cast
from cli.local.authority import open_authority
from cli.local.layout import Layout
from cli.local.state import StackState, read_state
from tests.e2e.command import Command
from tests.integration.observability.collector import Collector, collecting
from tests.integration.observability.prometheus import Prometheus, running

SEED = 20_261_124


@dataclass(frozen=True)
class Watched:
    """The stack, what was sent of it, and who its citizen was."""

    command: Command
    collector: Collector
    tls: TlsFiles

    @property
    def state(self) -> StackState:
        state = read_state(Layout(self.command.home).state_file)
        assert state is not None
        return state

    @property
    def citizen(self) -> SyntheticPerson:
        return make_cast(random.Random(SEED)).citizen


@pytest.fixture(scope="session")
def watched() -> Iterator[Watched]:
    directory = Path(tempfile.mkdtemp(prefix="tbobs"))
    command = Command(directory, "--bus", "postgres")
    command.home.mkdir()
    authority = open_authority(Layout(command.home).certificates)
    backup = directory / "state.json"
    backup.write_text(json.dumps({"finished_at": datetime.now(UTC).isoformat()}))
    try:
        with collecting(authority.identity(Peer("service", "collector"))) as collector:
            command._environment |= {
                "TONGBAN_OTLP_ENDPOINT": f"https://localhost:{collector.port}",
                "TONGBAN_MEASURE_SECONDS": "1",
                "TONGBAN_BACKUP_STATE_FILE": str(backup),
            }
            status, told = command("up", "--bus", "postgres")
            assert status == 0, (told, command.logs())
            status, told = command("demo", "--out", str(directory / "out"), "--seed", str(SEED))
            assert status == 0, (told, command.logs())
            yield Watched(command, collector, authority.identity(Peer("operator", "prometheus")))
    finally:
        command.run("down")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def prometheus(watched: Watched) -> Iterator[Prometheus]:
    directory = Path(tempfile.mkdtemp(prefix="tbprom"))
    try:
        with running(directory, watched.state, watched.tls) as started:
            yield started
    finally:
        shutil.rmtree(directory, ignore_errors=True)
