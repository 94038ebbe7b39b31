"""The four service processes: where they listen and what their environment holds.

Settings that are no secret go through the environment, secrets through files in a directory that
only this one service is told of.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.rpc.channel import service as service_peer
from chassis.rpc.tls import TlsFiles
from cli.local.authority import open_authority
from cli.local.credentials import SIGNING_KEYS, signing_key_file
from cli.local.layout import Layout
from cli.local.ports import LOOPBACK
from cli.local.state import Endpoints, StackState

STACK_POOL_MAX_SIZE = 8
"""Connections of each service; with relays and listeners below max_connections of the server."""

_PASSED_ON = ("OTLP_ENDPOINT", "TRACE_RATIO", "MEASURE_SECONDS", "BACKUP_STATE_FILE")
"""Settings of observability that the caller's environment may give to all services."""

_PARTICULAR = {"notify": {"SANDBOX_PAGE": "true"}}
"""Settings that only one service has, as far as they need no address and no secret."""


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """How one service is started and how it shows that it is ready."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready_file: Path
    log: Path
    directory: Path


def service_processes(layout: Layout, state: StackState) -> list[ServiceProcess]:
    """Return the four services of the stack with everything they need to run."""
    authority = open_authority(layout.certificates)
    shared = _shared(layout, state)
    return [
        ServiceProcess(
            name=name,
            command=(sys.executable, "-m", f"services.{name}", "serve"),
            environment=_environment(
                layout, name, shared, _own(layout, name, endpoints, authority.identity(service_peer(name)))
            ),
            ready_file=layout.ready(name),
            log=layout.log(name),
            directory=layout.data(name),
        )
        for name, endpoints in state.services.items()
    ]


def _shared(layout: Layout, state: StackState) -> dict[str, str]:
    return {
        "ENVIRONMENT": "development",
        "BUS": state.bus,
        "CATALOGUE_DIR": str(state.catalogue),
        "TOKEN_KEYS": str(layout.token_keys),
        "SUSPENDED_CALLERS": str(layout.suspended_callers),
        **({"KAFKA_BOOTSTRAP": state.kafka_bootstrap} if state.kafka_bootstrap else {}),
        **{f"{name.upper()}_ADDRESS": at.grpc for name, at in state.services.items()},
        **{key: os.environ[f"TONGBAN_{key}"] for key in _PASSED_ON if f"TONGBAN_{key}" in os.environ},
    }


def _own(layout: Layout, name: str, endpoints: Endpoints, tls: TlsFiles) -> dict[str, str]:
    signing_keys = {
        key.upper(): str(signing_key_file(layout, name, key)) for key in SIGNING_KEYS.get(name, ())
    }
    return {
        "GRPC_HOST": LOOPBACK,
        "GRPC_PORT": endpoints.grpc.rpartition(":")[2],
        "HTTP_HOST": LOOPBACK,
        "HTTP_PORT": endpoints.http.rpartition(":")[2],
        **({"METRICS_PORT": endpoints.metrics.rpartition(":")[2]} if endpoints.metrics else {}),
        "TLS_CERTIFICATE": str(tls.certificate),
        "TLS_KEY": str(tls.key),
        "TLS_AUTHORITY": str(tls.authority),
        "FIELD_KEYS": str(layout.secrets(name) / "field_keys.json"),
        "DATA_DIR": str(layout.data(name)),
        "READY_FILE": str(layout.ready(name)),
        "SHARE_PORTS": "true",
        "POOL_MAX_SIZE": str(STACK_POOL_MAX_SIZE),
        **signing_keys,
        **({"TERMINAL_KEYS": str(layout.terminal_keys)} if name == "intake" else {}),
        **_PARTICULAR.get(name, {}),
    }


def _environment(
    layout: Layout, name: str, shared: Mapping[str, str], own: Mapping[str, str]
) -> dict[str, str]:
    """Return the caller's environment without its own TONGBAN settings, and ours."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("TONGBAN_")}
    return {
        **inherited,
        "PYTHONUNBUFFERED": "1",
        "TONGBAN_SECRETS_DIR": str(layout.secrets(name)),
        **{f"TONGBAN_{key}": value for key, value in shared.items()},
        **{f"TONGBAN_{name.upper()}_{key}": value for key, value in own.items()},
    }
