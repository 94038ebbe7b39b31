"""The images answer to what the Compose file asks of them: any user, read-only, no capabilities, secrets as files."""

from __future__ import annotations

import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cli.local.ports import LOOPBACK, free_port
from tests.stacks.engine import Engine

pytestmark = [pytest.mark.containers]
CONTAINED = ("--init", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true",
             "--pids-limit", "512")  # fmt: skip
TMP = "/tmp:size=128m,mode=1777,exec,nosuid,nodev"
SMALL = "size=1m,mode=1777,noexec,nosuid,nodev"
USER = "23456:23456"  # in no image's list of users
READY_SECONDS = 120.0


class Started:
    """Containers of one test, gone after it with their volumes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.ids: list[str] = []

    def run(self, *arguments: str) -> str:
        self.ids.append(self.engine.docker("run", "--detach", *arguments).stdout.strip())
        return self.ids[-1]

    def until_healthy(self, container: str, *command: str, pause_seconds: float = 0.3) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while self.engine.docker("exec", container, *command, check=False).returncode:
            assert time.monotonic() < deadline, self.logs(container)
            time.sleep(pause_seconds)

    def logs(self, container: str) -> str:
        told = self.engine.docker("logs", container)
        return told.stdout + told.stderr


@pytest.fixture
def started(docker_engine: Engine) -> Iterator[Started]:
    containers = Started(docker_engine)
    yield containers
    if containers.ids:
        docker_engine.docker("rm", "--force", "--volumes", *containers.ids)


def database(started: Started, image: str, secret: Path, *more: str, command: tuple[str, ...] = ()) -> str:
    secret.write_text("a-password-of-this-test")
    secret.chmod(0o644)
    return started.run(
        *CONTAINED, "--user", USER, "--tmpfs", TMP, "--tmpfs", f"/var/run/postgresql:{SMALL}",
        "--volume", f"{secret}:/run/secrets/pw:ro", "--env", "POSTGRES_PASSWORD_FILE=/run/secrets/pw",
        "--env", "POSTGRES_INITDB_ARGS=--auth-local=scram-sha-256 --auth-host=scram-sha-256",
        *more, image, *command,
    )  # fmt: skip


READY = ("pg_isready", "--quiet", "--host=127.0.0.1", "--username=postgres")


async def test_postgresql_runs_contained_as_any_user_and_keeps_its_data(
    started: Started, base_images: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    container = database(
        started, base_images["postgres"], tmp_path / "pw", "--publish", f"{LOOPBACK}:{port}:5432",
        command=("postgres", "-c", "max_connections=37"),
    )  # fmt: skip
    dsn = f"postgresql://postgres:a-password-of-this-test@{LOOPBACK}:{port}/postgres"
    started.until_healthy(container, *READY)
    connection = await asyncpg.connect(dsn, ssl=False)
    assert await connection.fetchval("show max_connections") == "37"
    assert str(await connection.fetchval("show data_directory")).startswith("/var/lib/postgresql/")
    await connection.execute("create table kept (n int); insert into kept values (1)")
    await connection.close()
    started.engine.docker("restart", container)
    started.until_healthy(container, *READY)
    connection = await asyncpg.connect(dsn, ssl=False)
    assert await connection.fetchval("select n from kept") == 1
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(dsn.replace("a-password", "another"), ssl=False)


def test_postgresql_does_not_start_without_a_password(started: Started, base_images: dict[str, str]) -> None:
    container = started.run(base_images["postgres"])
    assert started.engine.docker("wait", container).stdout.strip() == "1"
    assert "POSTGRES_PASSWORD" in started.logs(container)


async def test_postgresql_speaks_tls_to_clients_and_its_own_tools(
    started: Started, base_images: dict[str, str], tmp_path: Path
) -> None:
    certificate, key, port = tmp_path / "tls.pem", tmp_path / "tls.key", free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=postgres",
         "-keyout", key, "-out", certificate],
        capture_output=True, check=True,
    )  # fmt: skip
    key.chmod(0o600)
    uid = USER.partition(":")[0]
    os.chown(key, int(uid), int(uid))
    mounts = ("--volume", f"{certificate}:/tls.pem:ro", "--volume", f"{key}:/tls.key:ro")
    container = database(
        started, base_images["postgres"], tmp_path / "pw", *mounts, "--publish", f"{LOOPBACK}:{port}:5432",
        command=("postgres", "-c", "ssl=on", "-c", "ssl_cert_file=/tls.pem", "-c", "ssl_key_file=/tls.key"),
    )  # fmt: skip
    started.until_healthy(container, *READY)
    trust = ssl.create_default_context(cafile=str(certificate))
    trust.check_hostname = False
    connection = await asyncpg.connect(
        f"postgresql://postgres:a-password-of-this-test@{LOOPBACK}:{port}/postgres", ssl=trust
    )
    assert await connection.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    await connection.close()
    dsn = "postgresql://postgres:a-password-of-this-test@127.0.0.1/postgres?sslmode=verify-ca&sslrootcert=/tls.pem"
    started.engine.docker("exec", container, "pg_dump", "--schema-only", dsn)


def test_kafka_runs_contained_and_formats_its_storage_once(
    started: Started, base_images: dict[str, str]
) -> None:
    settings = {
        "CLUSTER_ID": "AAAAAAAAQACAAAAAAAAAAA",
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": "INSIDE://:9092,CONTROLLER://localhost:9093",
        "KAFKA_ADVERTISED_LISTENERS": "INSIDE://localhost:9092",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
        "KAFKA_HEAP_OPTS": "-Xms128m -Xmx256m",
        "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        "LOG_DIR": "/tmp/kafka",
    }
    places = [word for place in ("/opt/kafka/config", "/opt/kafka/logs", "/etc/kafka/secrets", "/mnt/shared/config")
              for word in ("--tmpfs", f"{place}:{SMALL}")]  # fmt: skip
    values = [word for pair in settings.items() for word in ("--env", "=".join(pair))]
    container = started.run(
        *CONTAINED, "--user", "appuser", "--tmpfs", TMP, *places, *values, base_images["kafka"]
    )
    versions = "/opt/kafka/bin/kafka-broker-api-versions.sh --bootstrap-server localhost:9092"
    check = ("sh", "-c", f"KAFKA_HEAP_OPTS=-Xmx64m {versions} >/dev/null")
    topics = ("/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "localhost:9092")
    started.until_healthy(container, *check, pause_seconds=3)
    started.engine.docker("exec", container, *topics, "--create", "--topic", "kept.v1", "--partitions", "2")
    started.engine.docker("restart", "-t", "60", container)
    started.until_healthy(container, *check, pause_seconds=3)
    assert "kept.v1" in started.engine.docker("exec", container, *topics, "--list").stdout
    properties = started.engine.docker("exec", container, "cat", "/var/lib/kafka/data/meta.properties").stdout
    assert settings["CLUSTER_ID"] in properties
