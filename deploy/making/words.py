"""Passwords, data sources, keyrings and signing keys: each made once, at random."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path

from chassis.auth import signing_key_from_pem, write_jwks
from chassis.clock import system_clock
from chassis.keyring import new_keyring
from chassis.roles import BACKUP_ROLE, dsn_for, roles_of
from cli.local.credentials import LOG_KEY, REGISTRY_KEYS, SIGNING_KEYS, SUPERUSER, new_key_pem
from cli.local.layout import FURTHER_ROLES, SEAL_MAKER, SEAL_MAKER_ROLE, SEAL_TSA, SERVICES
from cli.operations.signing import new_signing_key_pem, public_key_pem
from deploy.making.closed_files import replace, write

SERVER_DSN = (
    "postgresql://postgres:5432/?sslmode=verify-full&sslrootcert=/run/tls/authority.pem"
    "&sslcert=/run/tls/tls.pem&sslkey=/run/tls/tls.key"
)
"""The database as the other containers see it: each proves who it is and checks whom it reached."""
SECRET_BYTES = 32
_FILES_WERE = re.compile(r"=/run/secrets/((?:authority|tls)\.(?:pem|key))")
"""Where older releases mounted the certificates."""


def all_roles() -> list[str]:
    """Return every database role of a deployment but the superuser."""
    owned = [role for service in SERVICES for role in (*roles_of(service), *FURTHER_ROLES.get(service, ()))]
    return [*owned, BACKUP_ROLE]


def make_words(place: Path) -> None:
    """Write every secret that is no certificate below an empty directory."""
    known = {role: new_secret() for role in all_roles()}
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
            write(place / service / f"{name}.pem", new_key_pem(name))
    # Who signs cannot make and who makes cannot sign: two keystores, two keys, two database roles.
    write(place / "seal" / "keystore_key", new_secret())
    write(place / SEAL_MAKER / "keystore_key", new_secret())
    write(place / SEAL_TSA / "keystore_key", new_secret())
    write(place / SEAL_MAKER / "database_dsn", dsn("seal", SEAL_MAKER_ROLE, known[SEAL_MAKER_ROLE]))
    make_backup_keys(place / "backup")
    write(place / "backup" / "database_dsn", dsn(SUPERUSER, BACKUP_ROLE, known[BACKUP_ROLE]))
    write(place / "grafana" / "admin_password", new_secret())
    write(place / "idp" / "admin_password", new_secret())
    (place / "idp" / "admin_password").chmod(0o640)  # its container runs as its image's own user
    make_s3_identity(place / "s3")
    make_former_keys(place / "certs")
    token_key = signing_key_from_pem((place / "intake" / "token_key.pem").read_bytes())
    write_jwks([token_key], place / "token_keys.json")
    (place / "token_keys.json").chmod(0o600)


def complete_words(place: Path) -> None:
    """Have what this release needs in a deployment that an older one made; nothing that is there changes its value."""
    passwords = place / "provision" / "role_passwords.json"
    known = json.loads(passwords.read_text(encoding="utf-8"))
    missing = [role for role in all_roles() if role not in known]
    if missing:
        known |= {role: new_secret() for role in missing}
        replace(passwords, json.dumps(known, indent=1).encode(), 0o600)
    backup = place / "backup" / "database_dsn"
    if not backup.is_file():
        write(backup, dsn(SUPERUSER, BACKUP_ROLE, known[BACKUP_ROLE]))
    stamping = place / SEAL_TSA / "keystore_key"
    if not stamping.is_file():
        write(stamping, new_secret())
    for name in (LOG_KEY, *REGISTRY_KEYS):
        path = place / "certs" / f"{name}.pem"
        if not path.is_file():
            write(path, new_key_pem(name))
    make_former_keys(place / "certs")
    for path in (*place.glob("*/*_dsn"),):
        text = path.read_text(encoding="utf-8")
        if _FILES_WERE.search(text):
            replace(path, _FILES_WERE.sub(r"=/run/tls/\1", text).encode(), 0o600)


def make_former_keys(place: Path) -> None:
    """Have the files to which a rotation adds the registry's former public keys."""
    published, former = place / "presentation_keys.json", place / "log_keys.txt"
    if not published.is_file():
        write_jwks([signing_key_from_pem((place / "presentation_key.pem").read_bytes())], published)
        published.chmod(0o600)
    if not former.is_file():
        write(
            former,
            "# Former verifier keys of the transparency log, a line each: what they signed verifies for ever.\n",
        )


def make_backup_keys(place: Path) -> None:
    """Write the key pair of the backups' manifests."""
    pem = new_signing_key_pem()
    for name, content in (("signing_key.pem", pem), ("verifying_key.pem", public_key_pem(pem))):
        write(place / name, content.decode() if isinstance(content, bytes) else content)


def make_s3_identity(place: Path) -> None:
    """Write the one identity of the object store, as SeaweedFS reads it, and its halves for a client."""
    access_key, secret_key = secrets.token_hex(10), new_secret()
    identity = {
        "name": "tongban",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Read:tongban", "Write:tongban", "List:tongban", "Tagging:tongban"],
    }
    write(place / "identities.json", json.dumps({"identities": [identity]}, indent=1))
    write(place / "access_key", access_key)
    write(place / "secret_key", secret_key)


def new_secret() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(SECRET_BYTES)


def dsn(database: str, role: str, password: str) -> str:
    """Return the DSN of a role."""
    return dsn_for(SERVER_DSN, database=database, user=role, password=password)
