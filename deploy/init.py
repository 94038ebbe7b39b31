#!/usr/bin/env python3
"""Makes what one county's deployment keeps to itself: secrets, keys, certificates and the ``.env`` of Compose.

Run with the project's environment: ``.venv/bin/python deploy/init.py``. ``--renew`` prolongs the services'
certificates, ``--department USCC`` makes the identity of a department's system. Nothing that exists is overwritten.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chassis.auth import new_signing_key, signing_key_from_pem, write_jwks
from chassis.clock import system_clock
from chassis.errors import Fault, Kind, declare
from chassis.keyring import new_keyring
from chassis.roles import dsn_for, roles_of
from chassis.rpc.channel import service as service_peer
from chassis.rpc.peer import Peer
from cli.local.authority import open_authority
from cli.local.credentials import SIGNING_KEYS, SUPERUSER
from cli.local.layout import SERVICES
from standards.identifiers import check_uscc

HERE = Path(__file__).resolve().parent
SERVER_DSN = "postgresql://postgres:5432"
"""The database as the other containers see it."""
CONTAINER_ID = 10001
"""User and group of the containers when root runs this; else they are those of whoever runs it."""
SECRET_BYTES = 32

DEPLOYMENT_EXISTS = declare(
    "DEPLOYMENT_EXISTS",
    Kind.ALREADY_EXISTS,
    "{path} 已存在，不会覆盖",
    "{path} exists and is not overwritten",
)
DEPLOYMENT_MISSING = declare(
    "DEPLOYMENT_MISSING",
    Kind.FAILED_PRECONDITION,
    "{path} 不存在，请先运行 init.py",
    "{path} does not exist, run init.py first",
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns the files and is the user in the containers: a secret file has one reader."""

    uid: int
    gid: int

    @classmethod
    def current(cls) -> Owner:
        """Return the caller, or the fixed unprivileged owner when that is root."""
        return cls(CONTAINER_ID, CONTAINER_ID) if os.getuid() == 0 else cls(os.getuid(), os.getgid())


def make_deployment(directory: Path, owner: Owner) -> None:
    """Have ``secrets/``, ``terminal_keys/`` and ``.env`` in the directory, complete or not at all.

    Raises DEPLOYMENT_EXISTS and changes nothing when there are secrets or a ``.env`` already.
    """
    place, environment = directory / "secrets", directory / ".env"
    for path in (place, environment):
        if path.exists():
            raise DEPLOYMENT_EXISTS(path=path)
    fresh = Path(tempfile.mkdtemp(dir=directory, prefix=".secrets-"))
    try:
        make_secrets(fresh)
        hand_over(fresh, owner)
        fresh.rename(place)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    terminal_keys = directory / "terminal_keys"
    terminal_keys.mkdir(mode=0o755, exist_ok=True)
    write(environment, environment_text(directory, owner))
    hand_over(environment, owner)


def make_secrets(place: Path) -> None:
    """Write every secret of a deployment, each at random, below an empty directory."""
    known = {role: new_secret() for service in SERVICES for role in roles_of(service)}
    superuser = new_secret()
    write(place / "postgres" / "superuser_password", superuser)
    write(place / "provision" / "admin_dsn", dsn(SUPERUSER, SUPERUSER, superuser))
    write(place / "provision" / "role_passwords.json", json.dumps(known, indent=1))
    for service in SERVICES:
        migrator, app = roles_of(service)
        write(place / service / "database_dsn", dsn(service, app, known[app]))
        write(place / service / "migrator_dsn", dsn(service, migrator, known[migrator]))
        write(place / service / "field_keys.json", new_keyring(system_clock()))
        for name in SIGNING_KEYS.get(service, ()):
            write(place / service / f"{name}.pem", new_signing_key().as_pem(private=True).decode())
    # Who signs cannot make and who makes cannot sign: two keystores, two keys.
    write(place / "seal" / "keystore_key", new_secret())
    write(place / "sealmaker" / "keystore_key", new_secret())
    write(place / "sealmaker" / "database_dsn", dsn("seal", "seal_app", known["seal_app"]))
    token_key = signing_key_from_pem((place / "intake" / "token_key.pem").read_bytes())
    write_jwks([token_key], place / "token_keys.json")
    (place / "token_keys.json").chmod(0o600)
    issue_certificates(place)


def issue_certificates(place: Path) -> None:
    """Have an authority and a certificate of each service; those near their end are renewed."""
    authority = open_authority(place / "authority")
    for service in SERVICES:
        authority.identity(service_peer(service))
    for path in (place / "authority").iterdir():
        path.chmod(0o600)


def renew(directory: Path, owner: Owner) -> None:
    """Renew the services' certificates that end within 30 days. Raises DEPLOYMENT_MISSING."""
    place = existing(directory)
    issue_certificates(place)
    hand_over(place / "authority", owner)


def issue_department(directory: Path, uscc: str) -> Path:
    """Return a new folder with the certificate, the key and the authority for a department's system.

    Raises DEPLOYMENT_MISSING, USCC_… for a wrong code, DEPLOYMENT_EXISTS for a department that has one.
    """
    place = existing(directory)
    wrong = check_uscc(uscc).rule
    if wrong is not None:
        raise wrong()
    folder = directory / "departments" / uscc
    if folder.exists():
        raise DEPLOYMENT_EXISTS(path=folder)
    authority = open_authority(place / "authority")
    files = authority.identity(Peer("department", uscc))
    folder.mkdir(mode=0o700, parents=True)
    files.key.rename(folder / "tls.key")
    files.certificate.rename(folder / "tls.pem")
    write(folder / "authority.pem", files.authority.read_text())
    return folder


def existing(directory: Path) -> Path:
    """Return the secrets directory. Raises DEPLOYMENT_MISSING."""
    place = directory / "secrets"
    if not (place / "authority" / "authority.key").is_file():
        raise DEPLOYMENT_MISSING(path=place)
    return place


def environment_text(directory: Path, owner: Owner) -> str:
    """Return what Compose must be told; relative paths where the files lie beside the Compose file."""
    root = Path() if directory.resolve() == HERE else directory.resolve()
    values = {
        "TONGBAN_UID": owner.uid,
        "TONGBAN_GID": owner.gid,
        "TONGBAN_VERSION": project_version(),
        "TONGBAN_KAFKA_CLUSTER_ID": new_cluster_id(),
        "TONGBAN_SECRETS": shown(root / "secrets"),
        "TONGBAN_TERMINAL_KEYS": shown(root / "terminal_keys"),
    }
    head = "# Made by deploy/init.py; .env.example lists what else may be set. No secret stands here.\n"
    return head + "".join(f"{name}={value}\n" for name, value in values.items())


def shown(path: Path) -> str:
    """Return a path so that Compose takes it for one, not for the name of a volume."""
    return str(path) if path.is_absolute() else f"./{path}"


def project_version() -> str:
    """Return the version in pyproject.toml, the tag of the images."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def new_cluster_id() -> str:
    """Return 16 random bytes as Kafka writes them; it refuses a leading dash."""
    while True:
        made = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def new_secret() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(SECRET_BYTES)


def dsn(database: str, role: str, password: str) -> str:
    """Return the DSN of a role."""
    return dsn_for(SERVER_DSN, database=database, user=role, password=password)


def write(path: Path, content: str) -> None:
    """Make a file that only its owner can read, never one that others could read for a moment."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)


def hand_over(top: Path, owner: Owner) -> None:
    """Make the owner that of the path and of all below it; only root can and needs to."""
    if os.getuid() == 0:
        for path in walk(top):
            os.chown(path, owner.uid, owner.gid)


def walk(top: Path) -> Iterator[Path]:
    """Yield a path and everything below it."""
    yield top
    yield from top.rglob("*")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description="建立一套部署所需的密钥与证书 | " + (__doc__ or ""))
    parser.add_argument("directory", nargs="?", type=Path, default=HERE, help="default: beside this file")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--renew", action="store_true", help="renew certificates that end within 30 days")
    choice.add_argument("--department", metavar="USCC", help="make the identity of a department's system")
    given = parser.parse_args(arguments)
    try:
        if given.renew:
            renew(given.directory, Owner.current())
        elif given.department:
            print(issue_department(given.directory, given.department))  # noqa: T201
        else:
            given.directory.mkdir(parents=True, exist_ok=True)
            make_deployment(given.directory, Owner.current())
    except Fault as fault:
        sys.stderr.write(f"{fault.zh}\n{fault.en}  [{fault.code}]\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
