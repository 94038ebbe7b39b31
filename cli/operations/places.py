"""Where a deployment's data lies: the server of its databases, its file stores, its backup keys.

Given by ``TONGBAN_BACKUP_`` settings (environment or secret files) in a deployment, else those of the local
stack.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.files import KeptFiles
from chassis.object_files import ObjectFiles, open_objects
from chassis.roles import BACKUP_ROLE
from chassis.settings import DEFAULT_SECRETS_DIR, SECRETS_DIR_VARIABLE, FileSettings, Sourced
from cli.local.credentials import admin_dsn, backup_dsn, passwords
from cli.local.layout import SEAL_MAKER, SERVICES, Layout
from cli.operations.faults import BACKUP_KEY_UNREADABLE, KEYRING_NOT_GIVEN
from cli.operations.kept_files import Directory, Objects, Store
from cli.operations.signing import keep_key_pair

Bus = Literal["kafka", "postgres"]
STORES = {"intake": "files", "certs": "documents", SEAL_MAKER: "keystore"}
"""Whose data directory has which store of files."""
_MARK = "TONGBAN_BACKUP_SERVER_DSN"


class OperationSettings(Sourced):
    """What backing up, restoring and reconciling need in a deployment."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_BACKUP_")

    server_dsn: SecretStr
    """PostgreSQL DSN of the backup's role, which reads every table and changes none; for a restore, a superuser's."""
    bus: Bus = "kafka"
    stores_dir: Path
    """Directory with ``intake``, ``certs`` and ``sealmaker``: the data directories of these.

    A service that keeps its files in an object store has them there: see `FileSettings`, given as to the service."""
    recipient: str | None = None
    """age public key of the operator who may read the backups."""
    signing_key: Path | None = None
    verifying_key: Path | None = None
    """PEM files of the Ed25519 key pair of manifests."""
    intake_field_keys: Path | None = None
    certs_field_keys: Path | None = None
    notify_field_keys: Path | None = None
    seal_field_keys: Path | None = None
    """Keyrings of the services, for a restore; the seal service's also for reconciling what its documents hold."""

    @property
    def keyrings(self) -> dict[str, Path]:
        """The keyrings that are given, by service."""
        found = {name: getattr(self, f"{name}_field_keys") for name in SERVICES}
        return {name: path for name, path in found.items() if path is not None}


class IntakeFiles(FileSettings):
    """Where intake keeps its files."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_INTAKE_")


class CertsFiles(FileSettings):
    """Where certs keeps its documents."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_CERTS_")


def object_stores() -> dict[str, KeptFiles]:
    """Return the stores that lie in an object store. Raises SETTINGS_INCOMPLETE. Nothing is contacted yet."""
    told: list[FileSettings] = [IntakeFiles(), CertsFiles()]
    return {
        f"{each.service()}/{STORES[each.service()]}": ObjectFiles(
            open_objects(each, each.service(), STORES[each.service()])
        )
        for each in told
        if each.files
    }


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything lies."""

    server_dsn: str
    bus: Bus
    stores: Mapping[str, Path]
    recipient: str | None = None
    signing_key: Path | None = None
    verifying_key: Path | None = None
    reader_dsn: str | None = None
    """The DSN that a backup is made with, where it is not the server's."""
    objects: Mapping[str, KeptFiles] = field(default_factory=dict)
    """Those of the stores that lie in an object store and not in their directory."""
    keyrings: Mapping[str, Path] | None = None
    """The services' field keys that a restore will be read with; None for a rehearsal on a machine without them."""

    def store(self, name: str) -> Store:
        """Return a store of files."""
        return Objects(self.objects[name]) if name in self.objects else Directory(self.stores[name])

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
        server_dsn=settings.server_dsn.get_secret_value(),
        bus=settings.bus,
        stores={f"{owner}/{name}": settings.stores_dir / owner / name for owner, name in STORES.items()},
        recipient=settings.recipient,
        signing_key=settings.signing_key,
        verifying_key=settings.verifying_key,
        objects=object_stores(),
        keyrings=settings.keyrings,
    )


def reading_keys(layout: Layout, service: str) -> Path:
    """Return a service's keyring, of the deployment or of the local stack. Raises KEYRING_NOT_GIVEN."""
    if not deployed():
        return field_keyrings(layout)[service]
    found = OperationSettings().keyrings.get(service)
    if found is None:
        raise KEYRING_NOT_GIVEN(setting=f"TONGBAN_BACKUP_{service.upper()}_FIELD_KEYS")
    return found


def deployment_seal_keys() -> Path | None:
    """Return the seal service's keyring where the deployment gives it to operators."""
    return OperationSettings().seal_field_keys


def local(layout: Layout, bus: Bus) -> Places:
    """Return the places of a local stack whose PostgreSQL runs; its key pair is made when there is none."""
    from cli.local.postgres import EmbeddedPostgres  # noqa: PLC0415 - a deployment has no local stack

    signing_key, verifying_key = keep_key_pair(layout.secrets("backup"))
    server = EmbeddedPostgres(layout.postgres).server_dsn
    return Places(
        server_dsn=admin_dsn(layout, server),
        # A stack that an older release started gets the role at its next start.
        reader_dsn=backup_dsn(layout, server) if BACKUP_ROLE in passwords(layout) else None,
        bus=bus,
        stores={f"{owner}/{name}": layout.data(owner) / name for owner, name in STORES.items()},
        recipient=os.environ.get("TONGBAN_BACKUP_RECIPIENT"),
        signing_key=signing_key,
        verifying_key=verifying_key,
        keyrings=field_keyrings(layout),
    )


def present_keyrings(layout: Layout) -> dict[str, Path] | None:
    """Return the keyrings that are on this machine, by service; None where there are none."""
    known = OperationSettings().keyrings if deployed() else field_keyrings(layout)
    return {service: path for service, path in known.items() if path.is_file()} or None


def field_keyrings(layout: Layout) -> dict[str, Path]:
    """Return the keyrings of a local stack, by service."""
    return {service: layout.secrets(service) / "field_keys.json" for service in SERVICES}


def find_places(layout: Layout) -> Places:
    """Return the deployment's places, else those of the running local stack. Raises STACK_NOT_RUNNING."""
    if deployed():
        return deployment()
    from cli.local.control import running  # noqa: PLC0415 - needs psutil, which a deployment has not

    return local(layout, running(layout).bus)
