"""`tongban provision`: what a deployment's services find when they start: databases, roles, topics.

Also `python -m cli.commands.provision`, which is all that the deployment's job needs of the command line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import asyncpg
import stamina.instrumentation
import typer
from pydantic import Field, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import SettingsConfigDict

from chassis.bus import TOPIC_PARTITIONS, Bus, BusConfig, open_bus
from chassis.errors import PEER_UNAVAILABLE, Fault, Kind, declare
from chassis.event import topics
from chassis.roles import dsn_for, provision, roles_of
from chassis.settings import Sourced, load
from cli.local.layout import FURTHER_ROLES, SERVICES
from cli.local.prepare import make_bus_tables
from cli.output import AsJson, refusals, show

BUS_DATABASE = "bus"

ROLE_PASSWORDS_UNREADABLE = declare(
    "ROLE_PASSWORDS_UNREADABLE",
    Kind.FAILED_PRECONDITION,
    "数据库角色口令文件无法读取",
    "The file of the database roles' passwords cannot be read",
)
DATABASE_REFUSED = declare(
    "DATABASE_REFUSED",
    Kind.FAILED_PRECONDITION,
    "数据库拒绝了操作：{cause}",
    "The database refused: {cause}",
)


class ProvisionSettings(Sourced):
    """What the one-shot job needs, and only it: no service is told of a superuser."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_PROVISION_")

    admin_dsn: SecretStr
    """PostgreSQL DSN of a superuser."""
    role_passwords: Path
    """JSON file: the password of each role by its name."""
    bus: Literal["kafka", "postgres"]
    kafka_bootstrap: str | None = None
    kafka_tls: bool = False
    """Whether the brokers are reached by mutual TLS; each service then gets its access rules."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_authority: Path | None = None
    """PEM files of mutual TLS, needed for it: own chain, own key, the authority both sides trust."""
    topic_partitions: int = Field(default=TOPIC_PARTITIONS, ge=1, le=64)
    """Of new topics, for ever: the order of a key's events hangs on it."""
    topic_replicas: int = Field(default=1, ge=1, le=5)
    wait_seconds: float = Field(default=60.0, gt=0, le=600)
    """How long database and bus are waited for."""

    @classmethod
    def required_by(cls, given: dict[str, Any]) -> tuple[str, ...]:
        """Name the address of a Kafka bus, and the files of its TLS."""
        tls = given.get("kafka_tls") in {True, "true", "1"}
        needed = ("kafka_bootstrap",) if given.get("bus") == "kafka" else ()
        return (*needed, *(("tls_certificate", "tls_key", "tls_authority") if tls else ()))


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What is there after the job."""

    databases: tuple[str, ...]
    topics: tuple[str, ...]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="provision")(provision_command)


def provision_command(*, as_json: AsJson = False) -> None:
    """建立数据库、角色与消息主题 | Create or mend databases, roles and topics; needs TONGBAN_PROVISION_ settings."""
    stamina.instrumentation.set_on_retry_hooks([])  # they would print between our lines
    with refusals(as_json=as_json):
        done = asyncio.run(provision_all(load(ProvisionSettings)))
        data = {"databases": done.databases, "topics": done.topics}
        names = "、".join(done.databases)
        show(
            data,
            f"数据库 {names} | {len(done.databases)} databases, {len(done.topics)} topics",
            as_json=as_json,
        )


async def provision_all(settings: ProvisionSettings) -> Provisioned:
    """Have every database with its roles and every declared topic; running it again changes nothing else.

    Existing roles get the password of the file, which is how one is rotated.
    Raises ROLE_PASSWORDS_UNREADABLE, ROLE_WITHOUT_PASSWORD, DATABASE_REFUSED, PEER_UNAVAILABLE.
    """
    import events  # noqa: F401, PLC0415 - declares the topics

    passwords, admin = _passwords(settings.role_passwords), settings.admin_dsn.get_secret_value()
    databases = (*SERVICES, BUS_DATABASE) if settings.bus == "postgres" else SERVICES
    try:
        await _patiently(lambda: provision(admin, databases, passwords, FURTHER_ROLES), settings.wait_seconds)
        if settings.bus == "postgres":
            await make_bus_tables(_bus_dsn(admin, 0, passwords))
    except asyncpg.PostgresError as problem:
        raise DATABASE_REFUSED(cause=type(problem).__name__) from problem
    config = BusConfig(
        settings.bus,
        "tongban-provision",
        kafka_bootstrap=settings.kafka_bootstrap,
        postgres_dsn=_bus_dsn(admin, 1, passwords) if settings.bus == "postgres" else None,
        tls_ca_file=settings.tls_authority if settings.kafka_tls else None,
        tls_cert_file=settings.tls_certificate,
        tls_key_file=settings.tls_key,
        replication_factor=settings.topic_replicas,
    )
    await _patiently(lambda: _make_topics(config, settings.topic_partitions), settings.wait_seconds)
    return Provisioned(tuple(databases), topics())


async def _make_topics(config: BusConfig, partitions: int) -> None:
    bus = await open_bus(config)
    try:
        await bus.create_topics(topics(), partitions)
        if config.kind == "kafka" and config.tls_ca_file:
            await _allow(bus)
    finally:
        await bus.close()


async def _allow(bus: Bus) -> None:
    """Let each service at its topics, and only there."""
    from chassis.bus.kafka import KafkaBus  # noqa: PLC0415 - a Kafka client only where there is a Kafka
    from cli.topic_access import topic_access  # noqa: PLC0415

    assert isinstance(bus, KafkaBus)
    await bus.allow(topic_access())


def _bus_dsn(admin: str, which: int, passwords: dict[str, str]) -> str:
    """Return the DSN of the bus database's owner (0) or of its user (1)."""
    role = roles_of(BUS_DATABASE)[which]
    return dsn_for(admin, database=BUS_DATABASE, user=role, password=passwords[role])


def _passwords(path: Path) -> dict[str, str]:
    try:
        return TypeAdapter(dict[str, str]).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise ROLE_PASSWORDS_UNREADABLE() from None  # the cause would quote the file


async def _patiently(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Do the work, again for some time while nobody answers."""
    async for attempt in stamina.retry_context(on=_is_absent, attempts=None, timeout=seconds, wait_max=3.0):
        with attempt:
            await work()


def _is_absent(problem: Exception) -> bool:
    return isinstance(problem, Fault) and problem.code == PEER_UNAVAILABLE.code


if __name__ == "__main__":
    typer.run(provision_command)
