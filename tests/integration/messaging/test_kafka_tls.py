"""A real Kafka that speaks mutual TLS only and lets each service at its own topics: producer, consumer, admin."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from chassis.bus import BusConfig, NewRecord, open_bus
from chassis.bus.kafka import KafkaBus
from chassis.errors import Fault
from chassis.rpc.channel import service
from chassis.rpc.peer import Peer
from chassis.rpc.tls import TlsFiles
from cli.local.authority import Authority, open_authority
from cli.local.kafka import java
from cli.local.ports import LOOPBACK, free_port
from cli.topic_access import topic_access
from tests.stacks.needs import unavailable

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]
START_SECONDS = 90
OWN, FOREIGN = "notify.message.v1", "intake.case.v1"
COMPOSE = Path(__file__).resolve().parents[3] / "deploy" / "docker-compose.yml"
_PASSED_ON = ("SSL_CLIENT_AUTH", "SSL_PRINCIPAL_MAPPING_RULES", "AUTHORIZER_CLASS_NAME", "SUPER_USERS")


@dataclass(frozen=True)
class Cluster:
    """A broker with the rules of the Compose file, and the authority that both sides trust."""

    bootstrap: str
    authority: Authority

    def config(self, files: TlsFiles | None) -> BusConfig:
        return BusConfig(
            "kafka",
            "test",
            kafka_bootstrap=self.bootstrap,
            tls_ca_file=files.authority if files else None,
            tls_cert_file=files.certificate if files else None,
            tls_key_file=files.key if files else None,
            append_timeout_seconds=5,
        )

    async def bus(self, files: TlsFiles) -> KafkaBus:
        bus = await open_bus(self.config(files))
        assert isinstance(bus, KafkaBus)
        return bus

    def job(self, name: str) -> TlsFiles:
        return self.authority.leaf(f"job-{name}", f"job/{name}", self.authority.local_names)


def deployed_rules() -> str:
    """Return the broker's rules as they stand in the Compose file, as properties."""
    said = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["kafka"]["environment"]
    lines = (f"{name.lower().replace('_', '.')}={said[f'KAFKA_{name}']}" for name in _PASSED_ON)
    return "\n".join(lines).replace("$$", "$")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not java.can_run():
        unavailable("no Java for a Kafka broker of our own")
    directory = Path(tempfile.mkdtemp(prefix="tbktls"))
    authority = open_authority(directory / "authority")
    server = authority.leaf("kafka", "kafka", authority.local_names)
    store = directory / "kafka-store.pem"
    store.write_bytes(server.key.read_bytes() + server.certificate.read_bytes())
    broker = java.JavaBroker(directory / "broker", free_port())
    broker._config.write_text(
        broker._config.read_text()
        .replace("PLAINTEXT://", "INSIDE://")
        .replace("PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT", "INSIDE:SSL,CONTROLLER:SSL")
        + f"inter.broker.listener.name=INSIDE\nssl.keystore.type=PEM\nssl.keystore.location={store}\n"
        + f"ssl.truststore.type=PEM\nssl.truststore.location={authority.root_file}\n{deployed_rules()}\n"
    )
    broker.start()
    made = Cluster(f"{LOOPBACK}:{broker.port}", authority)
    try:
        asyncio.run(provisioned(made, broker))
        yield made
    finally:
        broker.kill()
        shutil.rmtree(directory, ignore_errors=True)


async def provisioned(cluster: Cluster, broker: java.JavaBroker) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            bus = await cluster.bus(cluster.job("provision"))
            await bus.create_topics([OWN, FOREIGN, "certs.licence.v1"], 1)
            await bus.allow(topic_access())
        except Fault:
            assert broker.is_running(), broker.log_path.read_text()[-3_000:]
            assert time.monotonic() < deadline, broker.log_path.read_text()[-3_000:]
            await asyncio.sleep(0.5)
        else:
            return


@pytest.fixture
async def notify(cluster: Cluster) -> AsyncIterator[KafkaBus]:
    bus = await cluster.bus(cluster.authority.identity(service("notify")))
    yield bus
    await bus.close()


async def append(bus: KafkaBus, topic: str, body: bytes = b"{}") -> object:
    producer = bus.producer()
    try:
        return (await producer.append([NewRecord(topic, b"key", (), body)]))[0]
    finally:
        await producer.close()


async def read(bus: KafkaBus, group: str, topic: str, seconds: float) -> list[bytes | None]:
    got: list[bytes | None] = []
    stop = asyncio.Event()

    async def handle(records: object) -> None:
        got.extend(record.body for record in records)  # type: ignore[attr-defined]
        stop.set()

    running = asyncio.create_task(bus.consumer(group, [topic], handle).run(stop))
    await asyncio.wait([running], timeout=seconds)
    stop.set()
    await asyncio.wait([running], timeout=40)
    return got


async def test_a_service_writes_its_own_topic_and_its_readers_read_it(cluster, notify):
    assert await append(notify, OWN, b'{"n":1}') is None
    intake = await cluster.bus(cluster.authority.identity(service("intake")))
    assert await read(intake, "intake", OWN, 40) == [b'{"n":1}']
    lag = await intake.lag("intake", [OWN])
    assert [each.events for each in lag] == [0]


async def test_a_service_cannot_write_anothers_topic(notify):
    with pytest.raises(Fault, match="PEER_UNAVAILABLE") as refused:
        await append(notify, FOREIGN)
    assert type(refused.value.__cause__).__name__ == "TopicAuthorizationFailedError"


async def test_a_service_does_not_even_see_what_it_does_not_read(notify):
    assert await notify.topics() == {OWN, FOREIGN}


async def test_a_service_cannot_create_topics_or_give_itself_rights(notify):
    with pytest.raises(Fault):
        await notify.create_topics(["notify.more.v1"], 1)
    with pytest.raises(Fault, match="BUS_ACL_REFUSED"):
        await notify.allow(topic_access())


async def test_a_department_of_the_same_authority_may_nothing(cluster):
    bus = await cluster.bus(cluster.authority.identity(Peer("department", "11361103TB1000011X")))
    assert await bus.topics() == set()
    assert await read(bus, "intake", OWN, 4) == []


async def test_nobody_is_let_in_without_a_certificate_of_the_authority(cluster, tmp_path):
    with pytest.raises(Fault, match="PEER_UNAVAILABLE"):
        await open_bus(cluster.config(None))
    other = open_authority(tmp_path / "other").identity(service("intake"))
    with pytest.raises(Fault, match="PEER_UNAVAILABLE"):
        await cluster.bus(TlsFiles(other.certificate, other.key, cluster.authority.root_file))
    trusting_another = cluster.authority.identity(service("intake"))
    with pytest.raises(Fault, match="PEER_UNAVAILABLE"):
        await cluster.bus(TlsFiles(trusting_another.certificate, trusting_another.key, other.authority))


async def test_unreadable_certificates_are_named(cluster, tmp_path):
    with pytest.raises(Fault, match="BUS_CERTIFICATES_UNREADABLE"):
        await cluster.bus(TlsFiles(tmp_path / "a", tmp_path / "b", tmp_path / "c"))


async def test_a_renewed_certificate_is_shown_at_the_next_connection(cluster, tmp_path):
    """A client keeps the context of its start; what it shows a broker is what the files are then."""
    files = cluster.authority.identity(service("notify"))
    own = TlsFiles(tmp_path / "tls.pem", tmp_path / "tls.key", tmp_path / "authority.pem")
    for source, target in zip(files.paths, own.paths, strict=True):
        shutil.copy(source, target)
    bus = await cluster.bus(own)
    assert await append(bus, OWN) is None
    stranger = open_authority(tmp_path / "other").identity(service("notify"))
    for source, target in zip(stranger.paths[:2], own.paths[:2], strict=True):
        shutil.copy(source, target)
    with pytest.raises(Fault, match="PEER_UNAVAILABLE"):
        await append(bus, OWN)
    for source, target in zip(files.paths[:2], own.paths[:2], strict=True):
        shutil.copy(source, target)
    assert await append(bus, OWN) is None
