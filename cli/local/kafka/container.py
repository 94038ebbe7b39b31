"""A Kafka broker in a container, where a Docker engine answers and already has the image.

Nothing is pulled here: fetching an image is the operator's decision.
"""

from __future__ import annotations

import atexit
import base64
import re
import shutil
import subprocess
import uuid
from pathlib import Path

from cli.local.kafka.faults import KAFKA_DID_NOT_START
from cli.local.ports import LOOPBACK

_POM = Path(__file__).with_name("pom.xml")
_ENGINE_TIMEOUT_SECONDS = 60


def image() -> str:
    """Return the image of the same Kafka version as the jars in pom.xml."""
    match = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", _POM.read_text())
    assert match is not None
    return f"apache/kafka:{match.group(1)}"


def can_run() -> bool:
    """Tell whether a Docker engine answers and has the image."""
    if shutil.which("docker") is None:
        return False
    try:
        return _docker("image", "inspect", image()).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class ContainerBroker:
    """One container; its data lives as long as the container, over restarts and kills."""

    def __init__(self, work_dir: Path, port: int) -> None:
        self.port = port
        self.log_path = work_dir / "kafka.log"
        self._id: str | None = None
        work_dir.mkdir(parents=True, exist_ok=True)
        atexit.register(self._remove)

    @property
    def pid(self) -> int:
        """The broker's process id as the engine sees it; 0 while it is stopped."""
        return int(self._inspect("{{.State.Pid}}") or 0)

    def start(self) -> None:
        """Have the container running; the broker answers some seconds later."""
        if self._id is not None:
            self._demand(_docker("start", self._id))
            return
        settings = [part for pair in self._environment().items() for part in ("-e", "=".join(pair))]
        publish = f"{LOOPBACK}:{self.port}:{self.port}"
        self._id = self._demand(_docker("run", "--detach", "--publish", publish, *settings, image()))

    def is_running(self) -> bool:
        """Tell whether the container runs."""
        return self._inspect("{{.State.Running}}") == "true"

    def stop(self) -> None:
        """Shut the broker down in order; its data stays."""
        self._end("stop")

    def kill(self) -> None:
        """End the broker as a power cut would (SIGKILL); its data stays."""
        self._end("kill")

    def _end(self, verb: str) -> None:
        if self._id is not None and self.is_running():
            self._demand(_docker(verb, self._id))
            self.log_path.write_text(_docker("logs", self._id).stdout)

    def _remove(self) -> None:
        if self._id is not None:
            _docker("rm", "--force", "--volumes", self._id)
            self._id = None

    def _inspect(self, template: str) -> str:
        if self._id is None:
            return ""
        return _docker("inspect", "--format", template, self._id).stdout.strip()

    def _demand(self, done: subprocess.CompletedProcess[str]) -> str:
        if done.returncode != 0:
            raise KAFKA_DID_NOT_START(log_path=self.log_path, detail=done.stderr.strip()[-600:])
        return done.stdout.strip()

    def _environment(self) -> dict[str, str]:
        return {
            "CLUSTER_ID": new_cluster_id(),
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_LISTENERS": f"PLAINTEXT://:{self.port},CONTROLLER://:29093",
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{self.port}",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:29093",
            "KAFKA_NUM_PARTITIONS": "4",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
            "KAFKA_HEAP_OPTS": "-Xms256m -Xmx512m",
        }


def new_cluster_id() -> str:
    """Return 16 random bytes as Kafka writes them; it refuses a leading dash.

    An image's own default is the same for every container: an empty broker would pass for the one that was lost.
    """
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=_ENGINE_TIMEOUT_SECONDS, check=False
    )
