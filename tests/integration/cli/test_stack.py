"""The local stack through the real command: up, status, kill, down. Stand-ins take the services' place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.integration.cli.stand_ins import SERVICES, write_services

ROOT = Path(__file__).parents[3]
READY_WITHIN_SECONDS = 15.0
BELOW_BYTES = 1024**3


class Command:
    """`tongban` as a user starts it, with one home."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self._directory = directory
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(write_services(directory / "path")), str(ROOT))),
            "TONGBAN_HOME": str(self.home),
            "TONGBAN_CATALOGUE_DIR": str(ROOT / "catalogue"),
        }

    def __call__(self, *arguments: str) -> tuple[int, dict]:
        done = subprocess.run(
            [sys.executable, "-m", "cli", *arguments, "--json"],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def state(self) -> dict:
        return json.loads((self.home / "stack.json").read_text())

    def pid(self, name: str) -> int:
        return self.state()["processes"][name]["pid"]

    def logs(self) -> str:
        return "".join(path.read_text() for path in sorted((self.home / "logs").iterdir()))


@pytest.fixture
def tongban(tmp_path_factory):
    command = Command(tmp_path_factory.mktemp("stack"))
    yield command
    command("down")


def ready_again(tongban: Command, within_seconds: float = 15.0) -> dict:
    deadline = time.monotonic() + within_seconds
    while True:
        status, answer = tongban("status")
        if status == 0 or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)


def ours(tongban: Command) -> list[psutil.Process]:
    mark = str(tongban.home)
    found = []
    for process in psutil.process_iter():
        try:
            if mark in " ".join([*process.cmdline(), process.environ().get("TONGBAN_SECRETS_DIR", "")]):
                found.append(process)
        except psutil.Error:
            continue
    return found


def left(tongban: Command, within_seconds: float = 5.0) -> list[psutil.Process]:
    """Return what still runs; the supervisor says that it has ended a moment before it has."""
    deadline = time.monotonic() + within_seconds
    while (found := ours(tongban)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def test_a_stack_comes_up_survives_kills_and_leaves_nothing_behind(tongban):
    status, answer = tongban("up")
    assert status == 0, (answer, tongban.logs())
    assert answer["started_seconds"] < READY_WITHIN_SECONDS
    assert tuple(answer["services"]) == SERVICES
    ports = {at[door].rpartition(":")[2] for at in answer["services"].values() for door in ("http", "grpc")}
    assert len(ports) == 8

    assert tongban("up")[1]["services"] == answer["services"], "a second `up` finds the first"
    assert tongban("up", "--bus", "kafka")[1]["reason"] == "STACK_RUNS_OTHERWISE"

    status, report = tongban("status")
    assert (status, report["ready"], report["bus_lag_events"]) == (0, True, 0)
    assert report["pss_bytes"] < BELOW_BYTES

    before = tongban.pid("notify")
    os.kill(before, signal.SIGKILL)
    time.sleep(0.7)
    assert ready_again(tongban)["ready"]
    assert tongban.pid("notify") != before
    assert tongban.state()["processes"]["notify"]["restarts"] == 1

    os.kill(tongban.pid("postgres"), signal.SIGKILL)
    time.sleep(1.5)
    assert ready_again(tongban)["ready"]

    assert tongban("down")[1]["state"] == "stopped"
    assert left(tongban) == []

    status, again = tongban("up")
    assert status == 0, tongban.logs()
    assert again["services"] == answer["services"], "addresses stay"


def test_what_a_killed_supervisor_left_is_stopped_by_down(tongban):
    assert tongban("up")[0] == 0, tongban.logs()
    os.kill(tongban.state()["supervisor"]["pid"], signal.SIGKILL)
    assert tongban("status")[1]["reason"] == "STACK_NOT_RUNNING"
    assert len(ours(tongban)) >= len(SERVICES)
    assert tongban("down")[0] == 0
    assert left(tongban) == []


def test_a_service_that_cannot_start_is_named_and_nothing_stays_running(tongban):
    main = tongban.home.parent / "path" / "services" / "notify" / "__main__.py"
    main.write_text("raise SystemExit(2)")
    status, answer = tongban("up")
    assert (status, answer["reason"]) == (1, "STACK_DID_NOT_START")
    assert "notify is not ready, ended with status 2" in answer["en"]
    assert left(tongban) == []


@pytest.mark.kafka
def test_a_stack_runs_on_a_real_kafka_of_its_own(tongban):
    status, answer = tongban("up", "--bus", "kafka")
    assert status == 0, (answer, tongban.logs())
    assert answer["kafka_bootstrap"]
    status, report = tongban("status")
    assert (status, report["bus"], report["bus_lag_events"]) == (0, "kafka", 0)
    os.kill(tongban.pid("kafka"), signal.SIGKILL)
    time.sleep(1.5)
    assert ready_again(tongban, 30)["ready"]


def test_the_services_reach_the_database_with_a_password_only(tongban):
    assert tongban("up")[0] == 0, tongban.logs()
    dsn = (tongban.home / "secrets" / "intake" / "tongban_intake_database_dsn").read_text()
    login, _, rest = dsn.partition("@")
    psql = subprocess.run(
        [sys.executable, "-c", _CONNECT, login.rpartition(":")[0] + ":wrong@" + rest],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "InvalidPasswordError" in psql.stderr


_CONNECT = "import asyncio, asyncpg, sys; asyncio.run(asyncpg.connect(sys.argv[1]))"
