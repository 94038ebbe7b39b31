"""Where a deployment's data lies: the server of its databases, its file stores, its backup keys.

Given by ``TONGBAN_BACKUP_`` settings (environment or secret files) in a deployment, else those of the local
stack.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import DEFAULT_SECRETS_DIR, SECRETS_DIR_VARIABLE, Sourced
from cli.local.credentials import admin_dsn
from cli.local.layout import SEAL_MAKER, SERVICES, Layout
from cli.operations.faults import BACKUP_KEY_UNREADABLE
from cli.operations.signing import keep_key_pair

Bus = Literal["kafka", "postgres"]
STORES = {"intake": "files", "certs": "documents", SEAL_MAKER: "keystore"}
"""Whose data directory has which store of files."""
_MARK = "TONGBAN_BACKUP_ADMIN_DSN"


class OperationSettings(Sourced):
    """What backing up, restoring and reconciling need in a deployment."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_BACKUP_")

    admin_dsn: SecretStr
    """PostgreSQL DSN of a role that may read every table and lock it; for a restore, the superuser's."""
    bus: Bus = "kafka"
    stores_dir: Path
    """Directory with ``intake``, ``certs`` and ``sealmaker``: the data directories of these."""
    recipient: str | None = None
    """age public key of the operator who may read the backups."""
    signing_key: Path | None = None
    verifying_key: Path | None = None
    """PEM files of the Ed25519 key pair of manifests."""
    seal_field_keys: Path | None = None
    """Keyring of the seal service, for reconciling what its documents hold; without it they stay closed."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything lies."""

    server_dsn: str
    bus: Bus
    stores: Mapping[str, Path]
    recipient: str | None = None
    signing_key: Path | None = None
    verifying_key: Path | None = None

    @property
    def databases(self) -> tuple[str, ...]:
        """The databases of a deployment with this bus."""
        return databases_with(self.bus)

    def key(self, name: Literal["signing_key", "verifying_key"]) -> Path:
        """Return a key file. Raises BACKUP_KEY_UNREADABLE when none is set."""
        path = self.signing_key if name == "signing_key" else self.verifying_key
        if path is None:
            raise BACKUP_KEY_UNREADABLE(setting=f"TONGBAN_BACKUP_{name.upper()}")
        return path


def databases_with(bus: Bus) -> tuple[str, ...]:
    """Return the databases of a deployment: one for each service, and the PostgreSQL bus where that is used."""
    return (*SERVICES, "bus") if bus == "postgres" else SERVICES


def deployed() -> bool:
    """Tell whether this process was told of a deployment."""
    directory = Path(os.environ.get(SECRETS_DIR_VARIABLE, DEFAULT_SECRETS_DIR))
    return _MARK in os.environ or (directory / _MARK.lower()).is_file()


def deployment() -> Places:
    """Return the places of a deployment. Raises SETTINGS_INCOMPLETE."""
    settings = OperationSettings()
    return Places(
        server_dsn=settings.admin_dsn.get_secret_value(),
        bus=settings.bus,
        stores={f"{owner}/{name}": settings.stores_dir / owner / name for owner, name in STORES.items()},
        recipient=settings.recipient,
        signing_key=settings.signing_key,
        verifying_key=settings.verifying_key,
    )


def deployment_seal_keys() -> Path | None:
    """Return the seal service's keyring where the deployment gives it to operators."""
    return OperationSettings().seal_field_keys


def local(layout: Layout, bus: Bus) -> Places:
    """Return the places of a local stack whose PostgreSQL runs; its key pair is made when there is none."""
    from cli.local.postgres import EmbeddedPostgres  # noqa: PLC0415 - a deployment has no local stack

    signing_key, verifying_key = keep_key_pair(layout.secrets("backup"))
    return Places(
        server_dsn=admin_dsn(layout, EmbeddedPostgres(layout.postgres).server_dsn),
        bus=bus,
        stores={f"{owner}/{name}": layout.data(owner) / name for owner, name in STORES.items()},
        recipient=os.environ.get("TONGBAN_BACKUP_RECIPIENT"),
        signing_key=signing_key,
        verifying_key=verifying_key,
    )


def find_places(layout: Layout) -> Places:
    """Return the deployment's places, else those of the running local stack. Raises STACK_NOT_RUNNING."""
    if deployed():
        return deployment()
    from cli.local.control import running  # noqa: PLC0415 - needs psutil, which a deployment has not

    return local(layout, running(layout).bus)
