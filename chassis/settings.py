"""Settings of one process: from the environment and from secret files, typed, complete or refused.

A field ``database_dsn`` of intake is looked for, first found wins, as ``TONGBAN_INTAKE_DATABASE_DSN``
in the environment, as a file of that name (lower case) in the secrets directory, then both again
under the prefix all services share, ``TONGBAN_DATABASE_DSN``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal, NoReturn, Self, TypeVar

from pydantic import Field, ModelWrapValidatorHandler, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from chassis.errors import Fault, Kind, declare

SHARED_PREFIX = "TONGBAN_"
SECRETS_DIR_VARIABLE = "TONGBAN_SECRETS_DIR"
DEFAULT_SECRETS_DIR = "/run/secrets"
EXIT_MISCONFIGURED = 2
SUSPENDED_CALLERS_FILE = "suspended_callers.txt"

SETTINGS_INCOMPLETE = declare(
    "SETTINGS_INCOMPLETE",
    Kind.FAILED_PRECONDITION,
    "配置缺失或有误，共 {count} 项",
    "{count} settings are missing or wrong",
)
SETTING_MISSING = declare("SETTING_MISSING", Kind.FAILED_PRECONDITION, "缺失", "missing")
SETTING_WRONG = declare("SETTING_WRONG", Kind.FAILED_PRECONDITION, "有误：{cause}", "wrong: {cause}")


class Sourced(BaseSettings):
    """Settings that come from the environment and secret files; subclasses give ``env_prefix``.

    Constructing one raises SETTINGS_INCOMPLETE with a violation per missing or wrong setting, each
    under its environment name; values never appear in it.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Look under the own prefix first, then under the shared one; environment before files."""
        del env_settings, dotenv_settings, file_secret_settings
        directory = Path(os.environ.get(SECRETS_DIR_VARIABLE, DEFAULT_SECRETS_DIR))
        sources: list[PydanticBaseSettingsSource] = [init_settings]
        for prefix in dict.fromkeys((cls.prefix(), SHARED_PREFIX)):
            sources.append(EnvSettingsSource(settings_cls, env_prefix=prefix))
            if directory.is_dir():
                sources.append(SecretsSettingsSource(settings_cls, directory, env_prefix=prefix))
        return tuple(sources)

    @classmethod
    def prefix(cls) -> str:
        """Return the environment prefix, e.g. ``TONGBAN_INTAKE_``."""
        return cls.model_config.get("env_prefix") or SHARED_PREFIX

    @classmethod
    def service(cls) -> str:
        """Return the service's name, e.g. ``intake``; empty for settings of no one service."""
        return cls.prefix().removeprefix(SHARED_PREFIX).rstrip("_").lower()

    @classmethod
    def required_by(cls, given: dict[str, Any]) -> tuple[str, ...]:
        """Return the fields that the given raw values make necessary beyond the required ones."""
        del given
        return ()

    @model_validator(mode="wrap")
    @classmethod
    def _name_every_fault(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(given, dict):  # an emptied secret file is a missing one
            given = {name: value for name, value in given.items() if value != ""}
        missing = [name for name in cls.required_by(given) if not given.get(name)]
        wrong: list[tuple[str, str]] = []
        try:
            built = handler(given)
        except ValidationError as problem:
            for error in problem.errors(include_url=False, include_context=False, include_input=False):
                name = str(error["loc"][0]) if error["loc"] else ""
                if error["type"] == "missing":
                    missing.append(name)
                else:
                    wrong.append((name, error["msg"]))
        if not missing and not wrong:
            return built
        violations = [SETTING_MISSING.at(cls.variable(name)) for name in dict.fromkeys(missing)]
        violations += [SETTING_WRONG.at(cls.variable(name), cause=cause) for name, cause in wrong]
        raise SETTINGS_INCOMPLETE(violations=violations, count=len(violations))

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the environment variable of a field."""
        return f"{cls.prefix()}{field}".upper()


class FileSettings(Sourced):
    """Where files are kept, for services and for whoever backs them up."""

    files: str | None = Field(default=None, pattern=r"^s3://[a-z0-9][a-z0-9.-]{2,62}(/[A-Za-z0-9_./-]*)?$")
    """``s3://bucket/prefix`` to keep files in an object store; in ``data_dir`` without it."""
    files_endpoint: str | None = Field(default=None, pattern=r"^https://")
    """Where an object store that is not Amazon's answers."""
    files_region: str = "us-east-1"
    files_key_id: SecretStr | None = None
    files_secret_key: SecretStr | None = None
    files_authority: Path | None = None
    """PEM file of the object store's authority, beside the system's ones."""

    @classmethod
    def required_by(cls, given: dict[str, Any]) -> tuple[str, ...]:
        """Name the key to a file store."""
        return ("files_key_id", "files_secret_key") if given.get("files") else ()


class ServiceSettings(FileSettings):
    """What every service process needs. The owner's database role is not among it: see MigrationSettings."""

    environment: Literal["development", "sandbox", "production"] = "production"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    database_dsn: SecretStr
    """PostgreSQL DSN of the least-privileged role ``<service>_app``."""
    pool_min_size: int = Field(default=1, ge=0, le=100)
    pool_max_size: int = Field(default=10, ge=1, le=200)

    bus: Literal["kafka", "postgres"]
    kafka_bootstrap: str | None = None
    """``host:port`` list, comma separated; needed when ``bus`` is kafka."""
    kafka_tls: bool = False
    """Whether the brokers are reached by mutual TLS, with the files below."""
    kafka_member_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """Name of this process among its service's others, kept over restarts (static membership): back within the
    session's time it gets the partitions that it had, and nobody else's move. Two processes never share one."""
    bus_dsn: SecretStr | None = None
    """PostgreSQL DSN of the bus database; needed when ``bus`` is postgres."""
    relay_shards: int = Field(default=1, ge=1, le=64)
    consumer_batch_size: int = Field(default=100, ge=1, le=5_000)

    grpc_host: str = "127.0.0.1"
    grpc_port: int = Field(ge=0, le=65_535)
    http_host: str = "127.0.0.1"
    http_port: int = Field(ge=0, le=65_535)
    share_ports: bool = False
    """Let a successor listen beside this process (SO_REUSEPORT), for restarts without a gap."""
    intake_address: str | None = None
    certs_address: str | None = None
    seal_address: str | None = None
    notify_address: str | None = None
    """Peers as ``host:port``; a service redeclares those it asks as required."""

    tls_certificate: Path
    tls_key: Path
    tls_authority: Path
    """PEM files of mutual TLS: own chain, own key, the authority both sides trust."""
    http_certificate: Path | None = None
    http_key: Path | None = None
    """PEM files with which the HTTP door speaks TLS; plain HTTP without them, for one's own machine."""
    http_trusted_proxies: str | None = None
    """Addresses or networks, comma separated, of the only proxies whose word on the caller's address counts."""
    token_keys: Path
    """JWKS file with the public keys of intake's bearer tokens."""
    field_keys: Path
    """Keyring file of ``chassis.fields``."""

    data_dir: Path = Path("data")
    catalogue_dir: Path = Path("catalogue")
    suspended_callers: Path | None = None
    """List of callers that are shut out, see ``chassis.rpc.suspended``; default ``<catalogue_dir>/suspended_callers.txt``."""
    ready_file: Path | None = None
    otlp_endpoint: str | None = None
    """``http[s]://host:port`` of an OpenTelemetry collector (OTLP over gRPC); no spans leave without it."""
    trace_ratio: float = Field(default=1.0, ge=0.0, le=1.0)
    """Share of the traces beginning here that are recorded."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    """Where Prometheus asks, over mutual TLS; no such door without a port. Never publish it."""
    measure_seconds: float = Field(default=15.0, gt=0, le=3_600)
    backup_state_file: Path | None = None
    """JSON file with ``finished_at``, written after each good backup."""

    def suspended_file(self) -> Path:
        """Return where the callers stand that an operator has shut out; the file need not be there."""
        return self.suspended_callers or self.catalogue_dir / SUSPENDED_CALLERS_FILE

    @classmethod
    def required_by(cls, given: dict[str, Any]) -> tuple[str, ...]:
        """Name the address of the chosen bus, the other half of the HTTP door's TLS, the key to a file store."""
        bus = {"kafka": ("kafka_bootstrap",), "postgres": ("bus_dsn",)}.get(str(given.get("bus")), ())
        http = ("http_certificate", "http_key")
        return (*bus, *(http if any(given.get(name) for name in http) else ()), *super().required_by(given))


S = TypeVar("S", bound=Sourced)


class MigrationSettings(Sourced):
    """What the one-shot migration job of one service needs, and only that."""

    migrator_dsn: SecretStr
    """PostgreSQL DSN of the owning role ``<service>_migrator``."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def explain(name: str, fault: Fault) -> str:
    """Return the refusal as one message: a line per setting, and where each may be given."""
    width = max((len(violation.field_path) for violation in fault.violations), default=0)
    lines = [f"{name} cannot start: {fault.zh} / {fault.en}"]
    lines += [f"  {v.field_path:<{width}}  {v.zh} / {v.en}" for v in fault.violations]
    directory = os.environ.get(SECRETS_DIR_VARIABLE, DEFAULT_SECRETS_DIR)
    lines.append(f"Give each in the environment, or as a file of that name in lower case under {directory}.")
    return "\n".join(lines)


def refuse_start(name: str, fault: Fault) -> NoReturn:
    """Print why a process cannot start and end it with exit status 2."""
    sys.stderr.write(explain(name, fault) + "\n")
    raise SystemExit(EXIT_MISCONFIGURED)


def load(settings: type[S]) -> S:
    """Return the settings, or print every missing and wrong one at once and exit with status 2."""
    try:
        return settings()
    except Fault as fault:
        refuse_start(settings.service() or "tongban", fault)
