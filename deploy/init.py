#!/usr/bin/env python3
"""Makes what one county's deployment keeps to itself: secrets, keys, certificates and the ``.env`` of Compose.

Run with the project's environment: ``.venv/bin/python deploy/init.py --county NAME``. ``--renew`` prolongs the
certificates, ``--department USCC`` and ``--terminal ID`` make the identity of one who calls from outside.
Nothing that exists is overwritten.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # run as a file: the packages lie beside its folder
    sys.path.insert(0, str(HERE.parent))

from chassis.errors import Fault  # noqa: E402
from deploy.making import identities  # noqa: E402
from deploy.making.closed_files import Owner, hand_over, write  # noqa: E402
from deploy.making.environment import complete_environment, environment_text  # noqa: E402
from deploy.making.refusals import (  # noqa: E402
    COUNTY_MISSING,
    DEPLOYMENT_EXISTS,
    DEPLOYMENT_MISSING,
    TERMINAL_ID_MALFORMED,
)
from deploy.making.words import complete_words, make_words  # noqa: E402
from standards.identifiers import check_uscc  # noqa: E402

KEPT = ("backups", "data", "data/prometheus", "data/grafana", "data/s3", "data/idp", "data/witness")
"""Directories that containers write to, besides Compose's volumes."""
_TERMINAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def make_deployment(directory: Path, owner: Owner, county: str, hosts: Sequence[str] = ()) -> None:
    """Have ``secrets/``, ``.env`` and the directories of `KEPT` in the directory, complete or not at all.

    ``hosts`` are further names and addresses under which terminals reach intake's HTTP door.
    Raises DEPLOYMENT_EXISTS and changes nothing when there are secrets or a ``.env`` already.
    """
    place, environment = directory / "secrets", directory / ".env"
    for path in (place, environment):
        if path.exists():
            raise DEPLOYMENT_EXISTS(path=path)
    fresh = Path(tempfile.mkdtemp(dir=directory, prefix=".secrets-"))
    try:
        make_words(fresh)
        identities.make_authority(fresh, county, hosts)
        hand_over(fresh, owner)
        fresh.rename(place)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    (directory / "terminal_keys").mkdir(mode=0o755, exist_ok=True)
    for name in KEPT:
        (directory / name).mkdir(mode=0o770 if name == "data/idp" else 0o700, parents=True, exist_ok=True)
    (directory / "data" / "idp").chmod(0o770)  # its container is of the group
    write(environment, environment_text(directory, owner, county))
    for path in (*(directory / name for name in KEPT), environment):
        hand_over(path, owner)


def renew(directory: Path, owner: Owner) -> None:
    """Renew the certificates that end within 30 days, and make what this release needs and older ones did not.

    Containers see their renewed files at once. Raises DEPLOYMENT_MISSING, AUTHORITY_UNUSABLE.
    """
    place = existing(directory)
    identities.renew_all(place)
    complete_words(place)
    hand_over(place, owner)
    if complete_environment(directory):
        hand_over(directory / ".env", owner)
    for name in KEPT:
        kept = directory / name
        if not kept.exists():
            kept.mkdir(mode=0o700, parents=True)
            hand_over(kept, owner)


def issue_department(directory: Path, uscc: str) -> Path:
    """Return a new folder with the certificate, the key and the authority for a department's system.

    Raises DEPLOYMENT_MISSING, USCC_… for a wrong code, DEPLOYMENT_EXISTS for a department that has one.
    """
    authority = identities.existing(existing(directory))
    wrong = check_uscc(uscc).rule
    if wrong is not None:
        raise wrong()
    folder = free(directory / "departments" / uscc)
    identities.department(authority, uscc, folder)
    return folder


def issue_terminal(directory: Path, terminal_id: str) -> Path:
    """Return a new folder with a terminal's identity, whose public key intake knows from its next start on.

    Raises DEPLOYMENT_MISSING, TERMINAL_ID_MALFORMED, DEPLOYMENT_EXISTS for a terminal that has one.
    """
    authority = identities.existing(existing(directory))
    if not _TERMINAL.fullmatch(terminal_id):
        raise TERMINAL_ID_MALFORMED(terminal_id=terminal_id)
    folder = free(directory / "terminals" / terminal_id)
    identities.terminal(authority, terminal_id, folder, directory / "terminal_keys" / f"{terminal_id}.pem")
    return folder


def existing(directory: Path) -> Path:
    """Return the secrets directory. Raises DEPLOYMENT_MISSING."""
    place = directory / "secrets"
    if not (place / "authority" / "authority.key").is_file():
        raise DEPLOYMENT_MISSING(path=place)
    return place


def free(folder: Path) -> Path:
    """Return a folder that is not there yet. Raises DEPLOYMENT_EXISTS."""
    if folder.exists():
        raise DEPLOYMENT_EXISTS(path=folder)
    return folder


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    given = _parser().parse_args(arguments)
    try:
        if given.renew:
            renew(given.directory, Owner.current())
        elif given.department:
            print(issue_department(given.directory, given.department))
        elif given.terminal:
            print(issue_terminal(given.directory, given.terminal))
        elif not given.county:
            raise COUNTY_MISSING()
        else:
            given.directory.mkdir(parents=True, exist_ok=True)
            make_deployment(given.directory, Owner.current(), given.county, given.host)
    except Fault as fault:
        sys.stderr.write(f"{fault.zh}\n{fault.en}  [{fault.code}]\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="建立一套部署所需的密钥与证书 | " + (__doc__ or ""))
    parser.add_argument("directory", nargs="?", type=Path, default=HERE, help="default: beside this file")
    parser.add_argument("--county", metavar="NAME", help="the county's name, written into the authority")
    parser.add_argument(
        "--host", action="append", default=[], help="a name by which terminals reach intake; may be repeated"
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--renew",
        action="store_true",
        help="renew certificates that end within 30 days; after an upgrade: make what is new",
    )
    choice.add_argument("--department", metavar="USCC", help="make the identity of a department's system")
    choice.add_argument("--terminal", metavar="ID", help="make the identity of a terminal and register it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
