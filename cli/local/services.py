"""The four service processes, the signer and the time-stamping authority: where they listen and what their environment holds.

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
from cli.local.credentials import LOG_KEY, SIGNING_KEYS, signing_key_file, witness_key_file
from cli.local.layout import LOG_WITNESS, SEAL_MAKER, SEAL_SIGNER, SEAL_TSA, Layout
from cli.local.ports import LOOPBACK
from cli.local.state import Endpoints, StackState
from cli.transparency.places import WITNESS_NAME, verifier_of, witness_verifier

STACK_POOL_MAX_SIZE = 8
"""Connections of each service; with relays and listeners below max_connections of the server."""

MAKER_FIRST_SECONDS = 86_400.0
"""The stack's start has made the lists."""
MAKER_LOOK_SECONDS = 15.0

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


def stack_processes(layout: Layout, state: StackState) -> list[ServiceProcess]:
    """Return every process that the supervisor keeps: signer, time-stamping authority, services, the maker's clock."""
    apart = [signer_process(layout), tsa_process(layout, state)]
    if state.witness:
        apart.append(witness_process(layout, state.witness, state.log_origin))
    return [*apart, *service_processes(layout, state), maker_process(layout, state)]


def maker_settings(layout: Layout, catalogue: Path) -> dict[str, str]:
    """Return what the maker's job is told, whoever starts it: another secret and directory, never the signing side's."""
    return {
        "TONGBAN_SECRETS_DIR": str(layout.secrets(SEAL_MAKER)),
        "TONGBAN_CATALOGUE_DIR": str(catalogue),
        "TONGBAN_SEALMAKER_MAKER_DIR": str(layout.data(SEAL_MAKER)),
        "TONGBAN_SEALMAKER_TSA_EXCHANGE_DIR": str(layout.tsa_exchange),
    }


def maker_process(layout: Layout, state: StackState) -> ServiceProcess:
    """Return the maker's clock: it makes what is approved while the stack runs; the first seals a job makes."""
    settings = {
        "DONE_FILE": str(layout.data(SEAL_MAKER) / "done"),
        "READY_FILE": str(layout.ready(SEAL_MAKER)),
        "FIRST_SECONDS": str(MAKER_FIRST_SECONDS),
        "LOOK_SECONDS": str(MAKER_LOOK_SECONDS),
        "RETRY_SECONDS": str(MAKER_LOOK_SECONDS),
    }
    return ServiceProcess(
        name=SEAL_MAKER,
        command=(sys.executable, "-m", "services.seal", "keep-seals"),
        environment={
            **_inherited(),
            **maker_settings(layout, state.catalogue),
            **{f"TONGBAN_{SEAL_MAKER.upper()}_{name}": value for name, value in settings.items()},
        },
        ready_file=layout.ready(SEAL_MAKER),
        log=layout.log(SEAL_MAKER),
        directory=layout.data(SEAL_MAKER),
    )


def signer_process(layout: Layout) -> ServiceProcess:
    """Return the process that opens the private keys of seals; it is told of nothing but its socket and secret."""
    settings = {
        "TONGBAN_SECRETS_DIR": str(layout.secrets(SEAL_SIGNER)),
        f"TONGBAN_{SEAL_SIGNER.upper()}_SOCKET": str(layout.signer_socket),
        f"TONGBAN_{SEAL_SIGNER.upper()}_READY_FILE": str(layout.ready(SEAL_SIGNER)),
    }
    return ServiceProcess(
        name=SEAL_SIGNER,
        command=(sys.executable, "-m", "services.seal", "signer"),
        environment={**_inherited(), **settings},
        ready_file=layout.ready(SEAL_SIGNER),
        log=layout.log(SEAL_SIGNER),
        directory=layout.data(SEAL_SIGNER),
    )


def tsa_process(layout: Layout, state: StackState) -> ServiceProcess:
    """Return the time-stamping authority, which has its own keys and no database."""
    tls = open_authority(layout.certificates).identity(service_peer(SEAL_TSA))
    settings = {
        "HTTP_HOST": LOOPBACK,
        "HTTP_PORT": str(state.tsa).rpartition(":")[2],
        "TLS_CERTIFICATE": str(tls.certificate),
        "TLS_KEY": str(tls.key),
        "TLS_AUTHORITY": str(tls.authority),
        "READY_FILE": str(layout.ready(SEAL_TSA)),
        "SHARE_PORTS": "true",
        **tsa_directories(layout),
    }
    return ServiceProcess(
        name=SEAL_TSA,
        command=(sys.executable, "-m", "services.seal", "tsa"),
        environment={
            **_inherited(),
            "TONGBAN_SECRETS_DIR": str(layout.secrets(SEAL_TSA)),
            **{f"TONGBAN_{SEAL_TSA.upper()}_{key}": value for key, value in settings.items()},
        },
        ready_file=layout.ready(SEAL_TSA),
        log=layout.log(SEAL_TSA),
        directory=layout.data(SEAL_TSA),
    )


def witness_process(layout: Layout, listen: str, log_origin: str) -> ServiceProcess:
    """Return the witness of the registry's log: it is told the log's public key and nothing else of the stack."""
    log_key = verifier_of(signing_key_file(layout, "certs", LOG_KEY), log_origin)
    home, ready = layout.data(LOG_WITNESS), layout.ready(LOG_WITNESS)
    told = {
        "--data-dir": home,
        "--name": WITNESS_NAME,
        "--log-key": log_key,
        "--listen": listen,
        "--ready-file": ready,
    }
    return ServiceProcess(
        name=LOG_WITNESS,
        command=(
            *(sys.executable, "-m", "cli.commands.witness"),
            *(str(word) for pair in told.items() for word in pair),
        ),
        environment=_inherited(),
        ready_file=ready,
        log=layout.log(LOG_WITNESS),
        directory=home,
    )


def _registry(layout: Layout, state: StackState) -> dict[str, str]:
    """Return what only the registry is told: its log's name and witness, the door of GB/T 36906, its former keys."""
    told = {
        "LOG_ORIGIN": state.log_origin,
        "LOG_KEYS": str(layout.log_keys),
        "PRESENTATION_KEYS": str(layout.presentation_keys),
        "FEDERATION_DIR": str(layout.federation),
    }
    if state.sharing:
        told |= {"SHARING_HOST": LOOPBACK, "SHARING_PORT": state.sharing.rpartition(":")[2]}
    if state.witness:
        witness = witness_verifier(witness_key_file(layout))
        told |= {
            "LOG_WITNESSES": f"{witness}@http://{state.witness}",
            "LOG_WITNESSES_INSIDE": f"{LOOPBACK}/32",
        }
    return told


def tsa_directories(layout: Layout) -> dict[str, str]:
    """Return the settings of the authority that say where its keys lie and where their certificates come from."""
    return {"DIRECTORY": str(layout.data(SEAL_TSA)), "EXCHANGE_DIR": str(layout.tsa_exchange)}


def service_processes(layout: Layout, state: StackState) -> list[ServiceProcess]:
    """Return the four services of the stack with everything they need to run."""
    authority = open_authority(layout.certificates)
    shared = _shared(layout, state)
    return [
        ServiceProcess(
            name=name,
            command=(sys.executable, "-m", f"services.{name}", "serve"),
            environment=_environment(
                layout,
                name,
                shared,
                {
                    **_own(layout, name, endpoints, authority.identity(service_peer(name)), str(state.tsa)),
                    **(_registry(layout, state) if name == "certs" else {}),
                },
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


def _own(layout: Layout, name: str, endpoints: Endpoints, tls: TlsFiles, tsa: str) -> dict[str, str]:
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
        **({"SIGNER_SOCKET": str(layout.signer_socket), "TIMESTAMPERS": tsa} if name == "seal" else {}),
        **_PARTICULAR.get(name, {}),
    }


def _environment(
    layout: Layout, name: str, shared: Mapping[str, str], own: Mapping[str, str]
) -> dict[str, str]:
    """Return the caller's environment without its own TONGBAN settings, and ours."""
    return {
        **_inherited(),
        "TONGBAN_SECRETS_DIR": str(layout.secrets(name)),
        **{f"TONGBAN_{key}": value for key, value in shared.items()},
        **{f"TONGBAN_{name.upper()}_{key}": value for key, value in own.items()},
    }


def _inherited() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TONGBAN_")}
    return {**kept, "PYTHONUNBUFFERED": "1"}
