"""Containers of the two images that the deployment runs on, with what the tests do to them."""

from __future__ import annotations

import asyncio
import secrets
import time
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor

import asyncpg
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from cli.local.kafka.broker import answers
from cli.local.ports import LOOPBACK, free_port

READY_SECONDS = 120.0
testcontainers_config.ryuk_disabled = True  # its reaper is an image of its own, which nothing may pull here


class KillableContainer(DockerContainer):
    """A container on a port of the loopback interface that stays the same over kills and restarts."""

    inner_port: int

    def __init__(self, image: str, port: int) -> None:
        super().__init__(image)
        self.port = port
        self.ports[str(self.inner_port)] = (LOOPBACK, port)  # type: ignore[assignment]
        self.with_kwargs(pids_limit=512)

    def start(self) -> KillableContainer:
        super().start()
        return self.wait()

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL); its data stays."""
        self.get_wrapped_container().kill("SIGKILL")

    def restart(self) -> None:
        """Start it again on its data; it answers on return."""
        self.get_wrapped_container().start()
        self.wait()

    def wait(self) -> KillableContainer:
        """Return when it answers."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.answers():
            container = self.get_wrapped_container()
            container.reload()
            if container.status == "exited" or time.monotonic() > deadline:
                raise TimeoutError(container.logs().decode()[-2_000:])
            time.sleep(0.2)
        return self

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether a client gets an answer now."""


class KafkaContainer(KillableContainer):
    """One node as the deployment sets it, reachable from outside the engine."""

    def __init__(self, image: str) -> None:
        self.inner_port = port = free_port()
        super().__init__(image, port)
        settings = {
            "NODE_ID": "1",
            "PROCESS_ROLES": "broker,controller",
            "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "LISTENERS": f"OUTSIDE://:{port},CONTROLLER://localhost:9093",
            "ADVERTISED_LISTENERS": f"OUTSIDE://{LOOPBACK}:{port}",
            "INTER_BROKER_LISTENER_NAME": "OUTSIDE",
            "LISTENER_SECURITY_PROTOCOL_MAP": "OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "LOG_DIRS": "/var/lib/kafka/data",
            "AUTO_CREATE_TOPICS_ENABLE": "false",
            "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "OFFSETS_TOPIC_NUM_PARTITIONS": "4",
            "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
            "SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
            "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            # The short session lets a killed broker register again at once instead of after nine seconds.
            "BROKER_SESSION_TIMEOUT_MS": "2000",
            "BROKER_HEARTBEAT_INTERVAL_MS": "500",
            "HEAP_OPTS": "-Xms256m -Xmx512m",
            "JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        }
        for name, value in settings.items():
            self.with_env(f"KAFKA_{name}", value)

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def answers(self) -> bool:
        return answers(self.bootstrap)


class PostgresContainer(KillableContainer):
    """A server with a password of its own and everything else as the image sets it."""

    inner_port = 5432

    def __init__(self, image: str) -> None:
        super().__init__(image, free_port())
        self._password = secrets.token_hex(16)
        self.with_env("POSTGRES_PASSWORD", self._password)

    @property
    def dsn(self) -> str:
        """The superuser's DSN."""
        return f"postgresql://postgres:{self._password}@{LOOPBACK}:{self.port}/postgres"

    def answers(self) -> bool:
        with ThreadPoolExecutor(1) as thread:  # the caller's thread may already run an event loop
            return thread.submit(lambda: asyncio.run(self._answers())).result()

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True
