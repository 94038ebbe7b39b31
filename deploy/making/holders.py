"""What each container shows and trusts: one directory per holder, mounted whole, so that a renewal reaches it.

A file that is mounted alone stays what it was when the container started; in a mounted directory a file that
was replaced by renaming is the new one at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryptography import x509

from cli.local.authority import Authority
from cli.local.layout import SERVICES
from deploy.making.closed_files import replace

DIRECTORY = "tls"
CERTIFICATE, KEY, ROOT, STORE = "tls.pem", "tls.key", "authority.pem", "store.pem"
WEB = {"web.pem": "web-intake.pem", "web.key": "web-intake.key"}
"""The door of intake for browsers, by its name in the container; a county may put its own in their place."""
GROUP = ("kafka", "idp")
"""Holders whose containers run as their image's own user, as members of the group."""
_PUBLIC_MODE, _GROUP_MODE, _OWN_MODE = 0o644, 0o640, 0o600
_GROUP_FOLDER, _OWN_FOLDER = 0o750, 0o700


def _pair(stem: str) -> dict[str, str]:
    return {CERTIFICATE: f"{stem}.pem", KEY: f"{stem}.key", ROOT: ROOT}


HOLDERS: Mapping[str, Mapping[str, str]] = {
    **{service: _pair(f"service-{service}") for service in (*SERVICES, "collector")},
    "seal-tsa": _pair("service-tsa"),
    "intake": {**_pair("service-intake"), **WEB},
    **{operator: _pair(f"operator-{operator}") for operator in ("tools", "prometheus")},
    **{f"migrate-{service}": _pair(f"job-migrate-{service}") for service in SERVICES},
    **{job: _pair(f"job-{job}") for job in ("provision", "seal-maker", "backup")},
    **{store: _pair(store) for store in ("postgres", "grafana", "mailpit", "s3")},
    **{store: {STORE: f"{store}-store.pem", ROOT: ROOT} for store in GROUP},
}
"""By holder: the names in its directory, and the authority's files that they are copies of."""


def hand_out(authority: Authority, place: Path) -> None:
    """Have each holder's directory below ``place``/tls as the authority's files are; what is equal is not touched."""
    (place / DIRECTORY).mkdir(mode=_OWN_FOLDER, exist_ok=True)
    for holder, files in HOLDERS.items():
        folder = place / DIRECTORY / holder
        folder.mkdir(mode=_OWN_FOLDER, exist_ok=True)
        for name, source in sorted(files.items()):  # keys first: a pair is half replaced for an instant only
            _copy(authority, authority.directory / source, folder / name, group=holder in GROUP)
        folder.chmod(_GROUP_FOLDER if holder in GROUP else _OWN_FOLDER)


def _copy(authority: Authority, source: Path, target: Path, *, group: bool) -> None:
    content = source.read_bytes()
    if target.is_file() and (target.read_bytes() == content or _another_s(target, authority)):
        return
    mode = _PUBLIC_MODE if target.name == ROOT else _GROUP_MODE if group else _OWN_MODE
    replace(target, content, mode)


def _another_s(target: Path, authority: Authority) -> bool:
    """Tell whether the county put a web certificate of another authority here, or the key to one: it stays."""
    if target.name not in WEB:
        return False
    try:
        shown = x509.load_pem_x509_certificate(target.with_name("web.pem").read_bytes())
    except (OSError, ValueError):
        return False
    return shown.issuer != authority.certificate.subject
