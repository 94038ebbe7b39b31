"""The deployment's own authority and the certificates of everybody in it, all by mutual TLS.

The authority's own directory is mounted nowhere; each container gets its own files (`holders`).

Services, tools, departments and terminals have an identity that gRPC reads. Stores and jobs have a name
only: the database and the log check it, and no service listens to them.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from chassis.rpc.channel import service as service_peer
from chassis.rpc.peer import Peer
from chassis.rpc.tls import TlsFiles
from cli.local.authority import Authority, find_authority, open_authority
from cli.local.layout import SEAL_TSA, SERVICES
from deploy.making.closed_files import replace, write
from deploy.making.holders import GROUP, hand_out
from deploy.making.refusals import AUTHORITY_UNUSABLE

STORES = ("postgres", "kafka", "grafana", "mailpit", "s3", "idp")
"""Servers that are not ours: reached by their name on the inside network."""
JOBS = ("provision", *(f"migrate-{service}" for service in SERVICES), "seal-maker", "backup")
OPERATORS = ("tools", "prometheus")
COLLECTOR = "collector"
HOSTS_FILE = "web_hosts.json"
PUBLIC_MODE, GROUP_MODE, OWN_MODE = 0o644, 0o640, 0o600


def make_authority(place: Path, county: str, hosts: Sequence[str]) -> None:
    """Have an authority named after the county and all its certificates, in ``place``/authority."""
    directory = place / "authority"
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, county),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{county} 通办 deployment authority"),
        ]
    )
    authority = open_authority(directory, subject=subject)
    write(directory / HOSTS_FILE, json.dumps(list(hosts), ensure_ascii=False))
    issue_all(authority)
    hand_out(authority, place)


def renew_all(place: Path) -> None:
    """Have every certificate fresh for 30 days at least, where its holder sees it. Raises AUTHORITY_UNUSABLE."""
    authority = existing(place)
    issue_all(authority)
    hand_out(authority, place)


def existing(place: Path) -> Authority:
    """Return the authority; a lost or damaged one is never made anew in silence. Raises AUTHORITY_UNUSABLE."""
    found = find_authority(place / "authority")
    if found is None:
        raise AUTHORITY_UNUSABLE(path=place / "authority")
    return found


def issue_all(authority: Authority) -> None:
    """Have the certificates of all that Compose starts; those near their end are renewed."""
    for service in (*SERVICES, SEAL_TSA, COLLECTOR):
        authority.identity(service_peer(service))
    for operator in OPERATORS:
        authority.identity(Peer("operator", operator))
    for job in JOBS:
        authority.leaf(f"job-{job}", f"job/{job}", [x509.DNSName(f"{job}.job.tongban.internal")])
    stores = {store: _server(authority, store, [store]) for store in STORES}
    hosts = json.loads((authority.directory / HOSTS_FILE).read_text(encoding="utf-8"))
    _server(authority, "web-intake", ["intake.service.tongban.internal", *hosts])
    for path in authority.directory.iterdir():
        path.chmod(OWN_MODE)
    for store in GROUP:
        # Key and chain in one file, for the group: these containers run as their image's own user.
        both = stores[store].key.read_bytes() + stores[store].certificate.read_bytes()
        replace(authority.directory / f"{store}-store.pem", both, GROUP_MODE)
    authority.root_file.chmod(PUBLIC_MODE)


def department(authority: Authority, uscc: str, folder: Path) -> None:
    """Move a department's new identity to an empty folder that is handed over."""
    _give(authority.identity(Peer("department", uscc)), folder)


def terminal(authority: Authority, terminal_id: str, folder: Path, registered: Path) -> None:
    """Move a terminal's new identity to an empty folder, and register its public key with intake."""
    files = authority.identity(Peer("terminal", terminal_id))
    public_key = x509.load_pem_x509_certificate(files.certificate.read_bytes()).public_key()
    pem = public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _give(files, folder)
    replace(registered, pem, PUBLIC_MODE)


def _give(files: TlsFiles, folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True)
    files.key.rename(folder / "tls.key")
    files.certificate.rename(folder / "tls.pem")
    write(folder / "authority.pem", files.authority.read_text())


def _server(authority: Authority, stem: str, hosts: Iterable[str]) -> TlsFiles:
    """Return the files of a server that is reached by these names, and from within its own container."""
    return authority.leaf(
        stem, stem, [_name(host) for host in dict.fromkeys((*hosts, "localhost", "127.0.0.1"))]
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode())
