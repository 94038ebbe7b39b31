"""A county's path: empty volumes, up, the main job from outside, a backup, a lost disk, the restore, work again."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from chassis.errors import Fault
from cli.demo.run import open_story, tell
from cli.operations.parts import make_identity
from deploy import init
from tests.compose.deployment import SERVICES, Deployment, tables_of
from tests.quiet import Quiet

pytestmark = [pytest.mark.timeout(900)]
READY_SECONDS, MEMORY_MIB, RESTORE_SECONDS = 60, 2048, 300
SETTLE_SECONDS = 60  # the ledger is time-stamped every 30 s
COMEBACK_SECONDS = 150
BACKUPS_TRIED = 4
STORES = ("postgres", "kafka")
# Not by the engine, which takes a kill of its own for the operator's wish.
KILL_CHILDREN_OF_INIT = (
    'for each in /proc/[0-9]*; do set -- $(cat "$each/stat"); [ "$4" = 1 ] && kill -9 "$1"; done'
)
# The services write while they run: who may relay, what was delivered once more, when leases ended.
LIVELY = ("relay_state", "batch_try", "delivery_attempt", "request")

Record = Callable[[str, object], None]
Contents = dict[str, dict[str, tuple[int, str]]]
"""Database → table → number of rows and a hash over all of them."""


@pytest.fixture(scope="module")
def running(deployment: Deployment, quiet: Quiet) -> tuple[Deployment, float]:
    """The deployment, up for the first time, and the seconds it took."""
    with quiet():
        return deployment, deployment.up()


def do_the_main_job(deployment: Deployment, out: Path, seed: int) -> dict[str, object]:
    out.mkdir()

    async def play() -> dict[str, object]:
        async with open_story(deployment.reach(), out, seed) as story:
            await tell(story)
            return story.figures

    try:
        return asyncio.run(play())
    except Fault:
        print(deployment.complaints())
        raise


def contents(deployment: Deployment) -> Contents:
    return {name: tables_of(deployment, name, LIVELY) for name in SERVICES}


LEDGER_IS_STAMPED = """select coalesce((select max(sequence) from ledger_checkpoint), 0)
  = coalesce((select max(sequence) from seal_use), 0)"""


def settled(deployment: Deployment) -> Contents:
    """Return the contents once nothing changes any more, also not by the next time stamp over the ledger."""
    before, deadline = contents(deployment), time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(2)
        now = contents(deployment)
        if now == before and deployment.sql("seal", LEDGER_IS_STAMPED).strip() == "t":
            return now
        before = now
    raise AssertionError("the databases never come to rest")


def backed_up_at_rest(deployment: Deployment, recipient: str) -> tuple[Contents, str]:
    """Return what the databases held all through a backup, and the backup's name."""
    for _ in range(BACKUPS_TRIED):
        before = settled(deployment)
        said = deployment.run(
            *("backup", "python", "-m", "cli.commands.backup"),
            *("--to", "/backups", "--recipient", recipient, "--json"),
        )
        if contents(deployment) == before:
            return before, json.loads(said.strip().splitlines()[-1])["name"]
    raise AssertionError("something is written during every backup")


@pytest.mark.promise("P1")
def test_it_is_ready_within_a_minute_and_two_gibibytes(running, record_property: Record):
    deployment, seconds = running
    memory = deployment.memory_mib()
    record_property("measured", f"ready in {seconds:.1f} s, {memory:.0f} MiB in all")
    states = {each["Service"]: (each["State"], each.get("ExitCode")) for each in deployment.containers()}
    assert {
        states[name][0]
        for name in (*SERVICES, *STORES, "seal-signer", "seal-tsa", "seal-maker", "log-verify")
    } == {"running"}
    assert {state for state in states.values() if state[0] != "running"} == {("exited", 0)}
    assert memory <= MEMORY_MIB
    assert seconds <= READY_SECONDS


@pytest.mark.promise("P15")
def test_the_main_job_survives_the_loss_of_every_volume(running, tmp_path, record_property: Record):
    deployment, _ = running
    figures = do_the_main_job(deployment, tmp_path / "first", seed=20_261_123)
    assert figures["licence_identifiers"]
    identity = tmp_path / "identity"
    recipient = make_identity(identity)
    identity.chmod(0o644)  # the container's user reads it; the directory is ours alone
    before, name = backed_up_at_rest(deployment, recipient)
    assert before["certs"]["licence"][0] > 200

    deployment.destroy_volumes()
    began = time.monotonic()
    deployment.up(*STORES, "provision", wait=False)
    deployment.up(*(f"migrate-{service}" for service in SERVICES), wait=False)
    for service in SERVICES:
        deployment.engine.docker("wait", deployment.inspect(f"migrate-{service}")["Id"])
    deployment.run(
        "--volume",
        f"{identity}:/run/identity:ro",
        "restore",
        f"/backups/{name}",
        "--identity",
        "/run/identity",
    )
    restored = contents(deployment)
    deployment.up()
    seconds = time.monotonic() - began
    rows = sum(count for each in before.values() for count, _ in each.values())
    record_property("measured", f"restored {rows} rows in {seconds:.1f} s from empty volumes to ready")
    for service in SERVICES:
        assert restored[service] == before[service], service
    assert seconds <= RESTORE_SECONDS
    again = do_the_main_job(deployment, tmp_path / "second", seed=20_261_124)
    assert again["licence_identifiers"]


def test_what_is_killed_comes_back(running):
    deployment, _ = running
    for service in ("certs", "kafka"):
        before = deployment.inspect(service)
        deployment.engine.docker("exec", before["Id"], "sh", "-c", KILL_CHILDREN_OF_INIT, check=False)
        deadline = time.monotonic() + COMEBACK_SECONDS
        while (now := deployment.inspect(service))["RestartCount"] == before["RestartCount"] or (
            now["State"].get("Health", {}).get("Status") != "healthy"
        ):
            assert time.monotonic() < deadline, deployment.said()
            time.sleep(1)


def test_everything_runs_as_nobody_in_particular_on_a_closed_file_system(running):
    deployment, _ = running
    for each in deployment.containers():
        found = deployment.inspect(each["Service"])
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"], each["Service"]
        assert host["CapDrop"] == ["ALL"], each["Service"]
        assert host["Memory"] > 0, each["Service"]
        assert host["PidsLimit"] > 0, each["Service"]
        assert found["Config"]["User"].split(":")[0] not in {"", "0", "root"}, each["Service"]


def test_nothing_on_the_network_speaks_without_tls(running):
    deployment, _ = running
    probe = (
        "import asyncio, asyncpg, pathlib\n"
        "dsn = pathlib.Path('/run/secrets/tongban_intake_database_dsn').read_text().split('?')[0]\n"
        "def refused(**given):\n"
        "    try:\n"
        "        asyncio.run(asyncpg.connect(dsn, **given))\n"
        "    except (asyncpg.InvalidAuthorizationSpecificationError, OSError) as problem:\n"
        "        return type(problem).__name__\n"
        "print(refused(ssl='disable'), refused(ssl='require'))\n"
    )
    said = deployment.run("tools", "python", "-c", probe).split()
    assert said == ["InvalidAuthorizationSpecificationError"] * 2
    plain = (
        "import socket\n"
        "link = socket.create_connection(('kafka', 9092), 5)\n"
        "link.sendall(bytes.fromhex('000000120012000000000001000474657374000000'))\n"
        "print(len(link.recv(100)) > 40)\n"
    )
    assert deployment.run("tools", "python", "-c", plain).strip() == "False"


def test_renewed_certificates_are_shown_without_a_restart(running):
    deployment, _ = running
    doors = {"tls/certs/tls.pem": "CERTS_GRPC", "tls/intake/web.pem": "INTAKE_HTTP"}
    secrets = deployment.directory / "secrets"
    before = {
        service: deployment.inspect(service)["State"]["StartedAt"] for service in (*SERVICES, "postgres")
    }
    shown = {door: serial_of(deployment, door) for door in doors.values()}
    assert shown == {door: serial_in(secrets / path) for path, door in doors.items()}
    for name in ("service-certs.pem", "web-intake.pem", "postgres.pem"):
        (secrets / "authority" / name).write_text("ended")
    init.renew(deployment.directory, init.Owner.current())
    for path, door in doors.items():
        assert serial_of(deployment, door) == serial_in(secrets / path) != shown[door]
    new = serial_in(secrets / "tls" / "postgres" / "tls.pem")
    assert database_serial(deployment) != new
    deployment.compose("kill", "--signal", "HUP", "postgres")  # what an operator does after a renewal
    deadline = time.monotonic() + SETTLE_SECONDS
    while database_serial(deployment) != new:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    now = {service: deployment.inspect(service)["State"]["StartedAt"] for service in before}
    assert now == before
    assert {each["Service"] for each in deployment.containers() if each.get("Health") == "unhealthy"} == set()


def serial_in(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def serial_of(deployment: Deployment, door: str) -> int:
    """Return the serial number of the certificate that a door shows to a new caller."""
    pem = ssl.get_server_certificate(("127.0.0.1", deployment.ports[door]), timeout=10)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def database_serial(deployment: Deployment) -> int:
    """Return the serial number of the certificate that the database shows to a service."""
    probe = (
        "import socket, ssl, struct\n"
        "link = socket.create_connection(('postgres', 5432), 5)\n"
        "link.sendall(struct.pack('!ii', 8, 80877103))\n"
        "assert link.recv(1) == b'S'\n"
        "tls = ssl.create_default_context(cafile='/run/tls/authority.pem')\n"
        "tls.load_cert_chain('/run/tls/tls.pem', '/run/tls/tls.key')\n"
        "print(int(tls.wrap_socket(link, server_hostname='postgres').getpeercert()['serialNumber'], 16))\n"
    )
    return int(deployment.compose("exec", "-T", "certs", "python", "-c", probe).stdout)


def test_a_service_may_only_write_its_own_topics(running):
    deployment, _ = running
    script = (
        "import asyncio, ssl\n"
        "from aiokafka import AIOKafkaProducer\n"
        "from aiokafka.errors import KafkaError\n"
        "async def main():\n"
        "    tls = ssl.create_default_context(cafile='/run/tls/authority.pem')\n"
        "    tls.load_cert_chain('/run/tls/tls.pem', '/run/tls/tls.key')\n"
        "    producer = AIOKafkaProducer(bootstrap_servers='kafka:9092', security_protocol='SSL', ssl_context=tls)\n"
        "    await producer.start()\n"
        "    try:\n"
        "        await producer.send_and_wait('intake.case.v1', b'forged')\n"
        "        print('written')\n"
        "    except KafkaError as problem:\n"
        "        print(type(problem).__name__)\n"
        "    finally:\n"
        "        await producer.stop()\n"
        "asyncio.run(main())\n"
    )
    done = deployment.compose("exec", "-T", "notify", "python", "-c", script)
    assert done.stdout.strip() == "TopicAuthorizationFailedError"
