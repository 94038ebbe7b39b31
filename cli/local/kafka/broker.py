"""Start a real Kafka the first way this machine offers, and wait until it answers.

Ready means that a metadata request was answered, not that a process exists.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from cli.local.kafka import container, java
from cli.local.kafka.faults import KAFKA_DID_NOT_START
from cli.local.ports import LOOPBACK, free_port, is_open

READY_TIMEOUT_SECONDS = 60.0
_PROBE_PAUSE_SECONDS = 0.2
_PROBE_TIMEOUT_MS = 2_000


class Engine(Protocol):
    """What runs the broker: a JVM of ours or a container."""

    port: int
    log_path: Path

    @property
    def pid(self) -> int:
        """The broker's process id; 0 while it is stopped."""

    def start(self) -> None:
        """Have the process running; it answers some seconds later."""

    def is_running(self) -> bool:
        """Tell whether the process lives."""

    def stop(self) -> None:
        """Shut down in order; data and address stay."""

    def kill(self) -> None:
        """End at once (SIGKILL); data and address stay."""


@dataclass(frozen=True, slots=True)
class RunningKafka:
    """A broker that answers at ``bootstrap`` until it is stopped or killed."""

    bootstrap: str
    kind: str
    """``docker`` or ``java``."""
    log_path: Path
    engine: Engine

    @property
    def pid(self) -> int:
        """The broker's process id; 0 while it is stopped."""
        return self.engine.pid

    def stop(self) -> None:
        """Shut the broker down in order (SIGTERM); its data stays."""
        self.engine.stop()

    def kill(self) -> None:
        """End the broker as a power cut would (SIGKILL); its data stays."""
        self.engine.kill()

    def restart(self) -> None:
        """Start the stopped or killed broker again on the same data and address; it answers on return."""
        self.engine.stop()
        _start(self.engine, self.bootstrap)


def start_kafka(work_dir: Path, *, port: int | None = None) -> RunningKafka:
    """Return a broker that answers on a loopback port, with its data below ``work_dir``.

    Takes a Docker engine that already has the image, else Java 17 with the jars of pom.xml.
    A work directory used before keeps its data (Java). Safe to call where an event loop runs,
    though it blocks. Raises KAFKA_TOOL_MISSING, KAFKA_JARS_UNAVAILABLE, KAFKA_JARS_DIFFER or
    KAFKA_DID_NOT_START.
    """
    chosen = port or free_port()
    in_container = container.can_run()
    engine: Engine = (container.ContainerBroker if in_container else java.JavaBroker)(work_dir, chosen)
    bootstrap = f"{LOOPBACK}:{chosen}"
    _start(engine, bootstrap)
    return RunningKafka(bootstrap, "docker" if in_container else "java", engine.log_path, engine)


def answers(bootstrap: str) -> bool:
    """Tell whether a broker answers a metadata request at this address now."""
    host, _, port = bootstrap.rpartition(":")
    if not is_open(host, int(port)):
        return False
    with ThreadPoolExecutor(1) as thread:  # the caller's thread may already run an event loop
        return thread.submit(lambda: asyncio.run(_answers(bootstrap))).result()


def _start(engine: Engine, bootstrap: str) -> None:
    engine.start()
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if not engine.is_running():
            raise KAFKA_DID_NOT_START(log_path=engine.log_path, detail="the broker ended")
        if answers(bootstrap):
            return
        time.sleep(_PROBE_PAUSE_SECONDS)
    engine.kill()
    raise KAFKA_DID_NOT_START(log_path=engine.log_path, detail=f"no answer in {READY_TIMEOUT_SECONDS:.0f} s")


async def _answers(bootstrap: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_PROBE_TIMEOUT_MS)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
