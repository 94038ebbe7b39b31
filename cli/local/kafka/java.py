"""A Kafka broker as a child process: one JVM, KRaft combined mode, data in a directory of ours."""

from __future__ import annotations

import atexit
import re
import shutil
import signal
import subprocess
from pathlib import Path

from cli.local.kafka.faults import KAFKA_DID_NOT_START, KAFKA_TOOL_MISSING
from cli.local.kafka.jars import jars
from cli.local.ports import LOOPBACK, free_port

JAVA_AT_LEAST = 17  # brokers of Kafka 4 demand it
_STOP_TIMEOUT_SECONDS = 30
_LOG_CONFIG = Path(__file__).with_name("log4j2.properties")
# One broker for one machine: a small heap, a collector without helper threads, quick compilation.
_JVM = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")

# The short session lets a killed broker register again at once instead of after nine seconds.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.dirs={data}
num.partitions=4
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""


class JavaBroker:
    """One broker and its data directory; the ports stay the same over restarts."""

    def __init__(self, work_dir: Path, port: int) -> None:
        self.port = port
        self.log_path = work_dir / "kafka.log"
        self._java = _java()
        self._class_path = f"{jars()}/*"
        self._data = work_dir / "data"
        self._config = work_dir / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        work_dir.mkdir(parents=True, exist_ok=True)
        self._config.write_text(
            _PROPERTIES.format(
                host=LOOPBACK, port=port, controller_port=free_port(), data=self._data.absolute()
            )
        )
        if not (self._data / "meta.properties").is_file():
            self._format()
        atexit.register(self.kill)

    @property
    def pid(self) -> int:
        """The JVM's process id; 0 while it does not run."""
        return self._process.pid if self._process is not None and self.is_running() else 0

    def start(self) -> None:
        """Have the JVM running; it answers some seconds later."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [self._java, *_JVM, f"-Dlog4j2.configurationFile={_LOG_CONFIG}", *self._main("kafka.Kafka")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        """Tell whether the JVM lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Shut the broker down in order; its data stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker as a power cut would (SIGKILL); its data stays."""
        self._end(signal.SIGKILL)

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(with_signal)  # does nothing to a process that ended and was waited for
        try:
            self._process.wait(_STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _format(self) -> None:
        cluster_id = self._tool("random-uuid").strip().splitlines()[-1]
        self._tool("format", "--ignore-formatted", "-t", cluster_id, "-c", str(self._config))

    def _tool(self, *arguments: str) -> str:
        command = [self._java, *_JVM[3:], f"-Dlog4j2.configurationFile={_LOG_CONFIG}"]
        done = subprocess.run(
            [*command, "-cp", self._class_path, "kafka.tools.StorageTool", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise KAFKA_DID_NOT_START(log_path=self.log_path, detail=(done.stdout + done.stderr)[-600:])
        return done.stdout

    def _main(self, class_name: str) -> list[str]:
        return ["-cp", self._class_path, class_name, str(self._config)]


def can_run() -> bool:
    """Tell whether this machine has a Java that is new enough."""
    java = shutil.which("java")
    return java is not None and _version(java) >= JAVA_AT_LEAST


def _java() -> str:
    java = shutil.which("java")
    if java is None or _version(java) < JAVA_AT_LEAST:
        raise KAFKA_TOOL_MISSING(tool=f"Java {JAVA_AT_LEAST} or newer")
    return java


def _version(java: str) -> int:
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)', told)
    return int(match.group(1)) if match else 0
