"""A Docker engine of our own: Debian's, out of a debootstrap tree, in a mount namespace of its own.

For machines without one. Needs root on Linux. Everything lies below one directory, the images too, so that
the next run finds them; when it stops, no process, no mount and no bridge of it is left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUITE = "trixie"
PACKAGES = (
    "docker.io",
    "docker-cli",
    "docker-compose",
    "docker-buildx",
    "iptables",
    "iproute2",
    "ca-certificates",
)
START_SECONDS = 60.0
STOP_SECONDS = 60.0
_ENTER = Path(__file__).with_name("enter_tree.sh")
_SWEEP = """
    iptables-save | grep -vE 'DOCKER|docker0|br-[0-9a-f]{12}' | iptables-restore
    iptables -P FORWARD "$1"
    ip -o link show type bridge | grep -oE '(docker0|br-[0-9a-f]{12})' | while read -r b; do ip link delete "$b"; done
"""


class EngineUnavailableError(Exception):
    """This machine cannot have an engine of its own; the text says why."""


def default_home() -> Path:
    """Return where the engine lives: ``TONGBAN_ENGINE_HOME``, else below the user's cache."""
    chosen = os.environ.get("TONGBAN_ENGINE_HOME")
    return Path(chosen) if chosen else Path.home() / ".cache" / "tongban" / "engine"


@dataclass(frozen=True)
class OwnEngine:
    """One engine and its directory. ``isolated`` gives it a network namespace without any route."""

    home: Path
    isolated: bool = False
    shared_tree: Path | None = None

    @property
    def tree(self) -> Path:
        """The Debian system that the engine's programs come from."""
        return self.shared_tree or self.home / f"{SUITE}-tree"

    @property
    def host(self) -> str:
        """What to put into DOCKER_HOST."""
        return f"unix://{self.home}/docker.sock"

    @property
    def pid(self) -> int:
        """The daemon's process id; 0 while it does not run."""
        try:
            pid = int((self.home / "docker.pid").read_text())
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except (OSError, ValueError):
            return 0
        return pid if name == "dockerd" else 0

    def start(self) -> None:
        """Have it answering; does nothing when it does. Raises EngineUnavailableError."""
        with self._exclusive():
            if self.pid and self._answers():
                return
            make_tree(self.tree)
            self._spawn()
            deadline = time.monotonic() + START_SECONDS
            while not self._answers():
                if not self._starting() or time.monotonic() > deadline:
                    raise EngineUnavailableError(f"dockerd did not start: {self._log()}")
                time.sleep(0.1)

    def stop(self) -> None:
        """End the daemon, its containers, its bridges and its packet rules; images and volumes stay."""
        with self._exclusive():
            pid = self.pid
            if not pid:
                return
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while self.pid:
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
                time.sleep(0.1)
            (self.home / "docker.sock").unlink(missing_ok=True)
            if not self.isolated:
                policy = (self.home / "forward.policy").read_text()
                self.run_inside("sh", "-c", _SWEEP, "sweep", policy)

    def run_inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the tree on this machine's network."""
        return subprocess.run(
            ["unshare", "--mount", "sh", _ENTER, self.tree, "private", *command],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def remove(self) -> None:
        """Stop it and delete all it holds."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "start.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _spawn(self) -> None:
        for leftover in ("docker.pid", "docker.sock"):
            (self.home / leftover).unlink(missing_ok=True)
        if not self.isolated:
            rules = self.run_inside("iptables", "-S", "FORWARD").stdout
            (self.home / "forward.policy").write_text("DROP" if "-P FORWARD DROP" in rules else "ACCEPT")
        network = ["--net"] if self.isolated else []
        loopback = ["sh", "-c", 'ip link set lo up && exec "$@"', "up"] if self.isolated else []
        daemon = [*loopback, "dockerd", "--data-root", self.home / "data", "--exec-root", self.home / "run", "--host", self.host,
                  "--pidfile", self.home / "docker.pid", "--ip", "127.0.0.1"]  # fmt: skip
        with (self.home / "dockerd.log").open("wb") as log:
            child = subprocess.Popen(
                ["unshare", "--mount", *network, "sh", _ENTER, self.tree, "private", *daemon],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        (self.home / "starting.pid").write_text(str(child.pid))
        child.returncode = 0  # the daemon outlives whoever started it; `stop` finds it by its pid file

    def _starting(self) -> bool:
        pid = int((self.home / "starting.pid").read_text())
        with contextlib.suppress(ChildProcessError):
            return os.waitpid(pid, os.WNOHANG) == (0, 0)
        return Path(f"/proc/{pid}").exists()

    def _answers(self) -> bool:
        return answers(self.host)

    def _log(self) -> str:
        return (self.home / "dockerd.log").read_text(errors="replace")[-1_500:]


def answers(host: str) -> bool:
    """Tell whether an engine answers at this address (``unix://…`` or plain ``tcp://…``) now."""
    scheme, _, place = host.partition("://")
    address, family = (place, socket.AF_UNIX) if scheme == "unix" else (_host_and_port(place), socket.AF_INET)
    with socket.socket(family) as connection:
        connection.settimeout(5)
        try:
            connection.connect(address)
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in connection.recv(64)
        except OSError:
            return False


def _host_and_port(place: str) -> tuple[str, int]:
    name, _, port = place.rstrip("/").rpartition(":")
    return name, int(port)


def make_tree(tree: Path) -> None:
    """Have Debian's engine in a directory, fetched once. Raises EngineUnavailableError."""
    if tree.is_dir():
        return
    demand_possible()
    making = tree.with_name(f".making-{tree.name}")
    shutil.rmtree(making, ignore_errors=True)
    making.parent.mkdir(parents=True, exist_ok=True)
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(making)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EngineUnavailableError(f"debootstrap failed: {(done.stdout + done.stderr)[-1_000:]}")
    making.rename(tree)


def demand_possible() -> None:
    """Install debootstrap where apt can. Raises EngineUnavailableError with what is missing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise EngineUnavailableError("an engine of our own needs root on Linux")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        raise EngineUnavailableError("mount namespaces are forbidden here")
    if shutil.which("debootstrap") is None and shutil.which("apt-get") is not None:
        for step in (["update"], ["install", "--yes", "--no-install-recommends", "debootstrap"]):
            subprocess.run(["apt-get", "-q", *step], capture_output=True, check=False)
    if shutil.which("debootstrap") is None:
        raise EngineUnavailableError("debootstrap is missing and apt-get could not install it")
