"""The stack's own secrets: made once at random, kept in files that only their owner can read."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

from chassis.auth import new_signing_key, publish_key, signing_key_from_pem
from chassis.clock import system_clock
from chassis.keyring import new_keyring
from chassis.roles import BACKUP_ROLE, dsn_for, roles_of
from chassis.tlog.keys import new_log_key
from cli.local.layout import (
    FURTHER_ROLES,
    LOG_WITNESS,
    SEAL_MAKER,
    SEAL_MAKER_ROLE,
    SEAL_SIGNER,
    SEAL_TSA,
    SERVICES,
    Layout,
)
from cli.witness.key import KEY_FILE

DATABASES = (*SERVICES, "bus")
LOG_KEY = "log_key"
"""Signs the checkpoints of the transparency log: Ed25519; the others are ECDSA P-256."""
REGISTRY_KEYS = ("registry_key", "replica_key", "registry_tls_key")
"""Of the registry among others: signs what they are told, opens what they tell, shows who asks them."""
SIGNING_KEYS = {"intake": ("token_key",), "certs": ("presentation_key", LOG_KEY, *REGISTRY_KEYS)}
"""Which services sign themselves, by the names of the settings that point to the keys."""
SUPERUSER = "postgres"
_PASSWORD_BYTES = 32


def make_secrets(layout: Layout) -> None:
    """Have every secret that does not depend on an address; what exists stays as it is."""
    _complete_passwords(layout.secrets("stack") / "passwords.json")
    for service in SERVICES:
        _once(layout.secrets(service) / "field_keys.json", lambda: new_keyring(system_clock()))
    _keep_keystore_key(layout)
    _once(layout.secrets(SEAL_MAKER) / f"tongban_{SEAL_MAKER}_maker_keystore_key", _new_password)
    _once(layout.secrets(SEAL_TSA) / f"tongban_{SEAL_TSA}_keystore_key", _new_password)
    for service, names in SIGNING_KEYS.items():
        for name in names:
            _once(signing_key_file(layout, service, name), partial(new_key_pem, name))
    _once(witness_key_file(layout), new_log_key)
    token_key = signing_key_file(layout, "intake", "token_key")
    presentation_key = signing_key_file(layout, "certs", "presentation_key")
    publish_key(layout.presentation_keys, signing_key_from_pem(presentation_key.read_bytes()))
    publish_key(layout.token_keys, signing_key_from_pem(token_key.read_bytes()))


def keystore_key_file(layout: Layout) -> Path:
    """Return the file with the secret that encrypts the private keys of seals: the signer's alone."""
    return layout.secrets(SEAL_SIGNER) / f"tongban_{SEAL_SIGNER}_keystore_key"


def drop_moved_secrets(layout: Layout) -> None:
    """Have no secret where an older release had it: for when none of its processes runs any more."""
    before, path = _former_keystore_key(layout), keystore_key_file(layout)
    if before.is_file() and path.is_file() and path.read_text() == before.read_text():
        before.unlink()


def signing_key_file(layout: Layout, service: str, name: str) -> Path:
    """Return the PEM file of one of the service's private keys for signing."""
    return layout.secrets(service) / f"{name}.pem"


def witness_key_file(layout: Layout) -> Path:
    """Return the PEM file of the witness's private key: in its own directory, as if somebody else ran it."""
    return layout.data(LOG_WITNESS) / KEY_FILE


def passwords(layout: Layout) -> dict[str, str]:
    """Return the password of each database role, the superuser's among them."""
    known: dict[str, str] = json.loads((layout.secrets("stack") / "passwords.json").read_text())
    return known


def write_dsns(layout: Layout, server_dsn: str) -> None:
    """Write each service's database addresses where only that service looks; the server may have moved."""
    known = passwords(layout)
    bus = _dsn(server_dsn, "bus", "bus_app", known)
    for service in SERVICES:
        owner = layout.secrets(service)
        app = _dsn(server_dsn, service, roles_of(service)[1], known)
        _write(owner / f"tongban_{service}_database_dsn", app)
        _write(owner / f"tongban_{service}_bus_dsn", bus)
    maker = _dsn(server_dsn, "seal", SEAL_MAKER_ROLE, known)
    _write(layout.secrets(SEAL_MAKER) / f"tongban_{SEAL_MAKER}_database_dsn", maker)


def admin_dsn(layout: Layout, server_dsn: str) -> str:
    """Return the superuser's DSN, for provisioning only."""
    return _dsn(server_dsn, SUPERUSER, SUPERUSER, passwords(layout))


def backup_dsn(layout: Layout, server_dsn: str) -> str:
    """Return the DSN of the role that backups are made with: it reads everything and changes nothing."""
    return _dsn(server_dsn, SUPERUSER, BACKUP_ROLE, passwords(layout))


def migrator_dsn(layout: Layout, server_dsn: str, database: str) -> str:
    """Return the DSN of a database's owner, for its migration job only."""
    return _dsn(server_dsn, database, roles_of(database)[0], passwords(layout))


def bus_app_dsn(layout: Layout, server_dsn: str) -> str:
    """Return the DSN by which services reach the bus database."""
    return _dsn(server_dsn, "bus", roles_of("bus")[1], passwords(layout))


def _keep_keystore_key(layout: Layout) -> None:
    """Have the signer's secret; that of an older release, where the service had it, stays the secret."""
    before = _former_keystore_key(layout)
    _once(keystore_key_file(layout), before.read_text if before.is_file() else _new_password)


def _former_keystore_key(layout: Layout) -> Path:
    return layout.secrets("seal") / "tongban_seal_keystore_key"


def _dsn(server_dsn: str, database: str, role: str, known: dict[str, str]) -> str:
    return dsn_for(server_dsn, database=database, user=role, password=known[role])


def _complete_passwords(path: Path) -> None:
    """Have a password for each role; a release may bring new roles to a stack that has the others."""
    known = json.loads(path.read_text()) if path.is_file() else {}
    roles = [SUPERUSER, BACKUP_ROLE, *(role for database in DATABASES for role in roles_of(database))]
    roles += [role for further in FURTHER_ROLES.values() for role in further]
    if any(role not in known for role in roles):
        _write(path, json.dumps({role: known.get(role) or _new_password() for role in roles}))


def new_key_pem(name: str) -> str:
    """Return a fresh private key of the kind that a setting asks for, as PEM."""
    return new_log_key() if name == LOG_KEY else new_signing_key().as_pem(private=True).decode()


def _new_password() -> str:
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def _once(path: Path, make: Callable[[], str]) -> None:
    if not path.is_file():
        _write(path, make())


def _write(path: Path, content: str) -> None:
    """Replace the file in one step; its content is never readable by others."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(content)
    fresh.replace(path)
