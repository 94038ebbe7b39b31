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
from cli.local.authority import open_authority
from cli.local.layout import Layout
from cli.local.ports import LOOPBACK
from cli.local.state import Endpoints, StackState

STACK_POOL_MAX_SIZE = 8
"""Connections of each service; with relays and listeners below max_connections of the server."""


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """How one service is started and how it shows that it is ready."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready_file: Path
    log: Path
    directory: Path


def service_processes(
    layout: Layout, state: StackState, catalogue: Path, *, log_format: str = "json"
) -> list[ServiceProcess]:
    """Return the four services of the stack with everything they need to run."""
    authority = open_authority(layout.certificates)
    shared = {
        "ENVIRONMENT": "development",
        "LOG_FORMAT": log_format,
        "BUS": state.bus,
        "CATALOGUE_DIR": str(catalogue),
        "TOKEN_KEYS": str(layout.token_keys),
        **({"KAFKA_BOOTSTRAP": state.kafka_bootstrap} if state.kafka_bootstrap else {}),
        **{f"{name.upper()}_ADDRESS": at.grpc for name, at in state.services.items()},
    }
    described = []
    for name, endpoints in state.services.items():
        tls = authority.identity(service_peer(name))
        own = {
            **_listening(endpoints),
            "TLS_CERTIFICATE": str(tls.certificate),
            "TLS_KEY": str(tls.key),
            "TLS_AUTHORITY": str(tls.authority),
            "FIELD_KEYS": str(layout.secrets(name) / "field_keys.json"),
            "DATA_DIR": str(layout.data(name)),
            "READY_FILE": str(layout.ready(name)),
            "POOL_MAX_SIZE": str(STACK_POOL_MAX_SIZE),
            **_particular(layout, name, state),
        }
        described.append(
            ServiceProcess(
                name=name,
                command=(sys.executable, "-m", f"services.{name}", "serve"),
                environment=_environment(layout, name, shared, own),
                ready_file=layout.ready(name),
                log=layout.log(name),
                directory=layout.data(name),
            )
        )
    return described


def _particular(layout: Layout, name: str, state: StackState) -> dict[str, str]:
    """Return the settings that only one service has."""
    if name == "intake":
        return {
            "TOKEN_KEY": str(layout.secrets(name) / "token_key.pem"),
            "PUBLIC_URL": f"http://{state.services[name].http}",
        }
    if name == "notify":
        return {"SANDBOX_PAGE": "true"}
    return {}


def _listening(endpoints: Endpoints) -> dict[str, str]:
    return {
        "GRPC_HOST": LOOPBACK,
        "GRPC_PORT": endpoints.grpc.rpartition(":")[2],
        "HTTP_HOST": LOOPBACK,
        "HTTP_PORT": endpoints.http.rpartition(":")[2],
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
