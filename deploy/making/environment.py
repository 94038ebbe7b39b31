"""The ``.env`` of Compose: which user, which release, where the files are; no secret."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from cli.local.credentials import LOG_KEY
from cli.local.kafka.container import new_cluster_id
from cli.transparency.places import verifier_of
from deploy.making.closed_files import Owner, replace

_SET = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)
DEFAULT_ORIGIN = "tongban/certs"
"""What the Compose file takes where no name is set."""
_NO_NAME = re.compile(r"[^\w.-]+")
DEPLOY = Path(__file__).resolve().parents[1]


def environment_text(directory: Path, owner: Owner, county: str) -> str:
    """Return what Compose must be told; relative paths where the files lie beside the Compose file."""
    root = Path() if directory.resolve() == DEPLOY else directory.resolve()
    values = {
        "TONGBAN_UID": owner.uid,
        "TONGBAN_GID": owner.gid,
        "TONGBAN_VERSION": project_version(),
        "TONGBAN_KAFKA_CLUSTER_ID": new_cluster_id(),
        "TONGBAN_SECRETS": shown(root / "secrets"),
        "TONGBAN_TERMINAL_KEYS": shown(root / "terminal_keys"),
        "TONGBAN_BACKUPS": shown(root / "backups"),
        "TONGBAN_DATA": shown(root / "data"),
        "TONGBAN_LOG_ORIGIN": log_origin(county),
        "TONGBAN_LOG_VERIFIER": verifier_of(
            directory / "secrets" / "certs" / f"{LOG_KEY}.pem", log_origin(county)
        ),
    }
    head = "# Made by deploy/init.py; .env.example lists what else may be set. No secret stands here.\n"
    return head + "".join(f"{name}={value}\n" for name, value in values.items())


def complete_environment(directory: Path) -> bool:
    """Add to an ``.env`` of an older release what this one's Compose file must be told of the log; say if anything was.

    The log's name is for ever: where none is set, it is the one that certs had until then.
    """
    path = directory / ".env"
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8")
    known = dict(_SET.findall(text))
    origin = known.get("TONGBAN_LOG_ORIGIN") or DEFAULT_ORIGIN
    key = directory / "secrets" / "certs" / f"{LOG_KEY}.pem"
    if known.get("TONGBAN_LOG_VERIFIER") or not key.is_file():
        return False
    lead = "" if text.endswith("\n") or not text else "\n"
    replace(
        path,
        f"{text}{lead}TONGBAN_LOG_VERIFIER={verifier_of(key, origin)}\n".encode(),
        path.stat().st_mode & 0o777,
    )
    return True


def log_origin(county: str) -> str:
    """Return the name of a county's log in its checkpoints: its own among those of all counties, for ever."""
    return f"tongban/certs/{_NO_NAME.sub('-', county)}"


def shown(path: Path) -> str:
    """Return a path so that Compose takes it for one, not for the name of a volume."""
    return str(path) if path.is_absolute() else f"./{path}"


def project_version() -> str:
    """Return the version in pyproject.toml, the tag of the images."""
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])
