"""Agreements between registries, as files: who we are, what we tell whom, what we take from whom.

Two registries exchange their files twice: the second ones carry the certificates that each issued to the
other from the first. That a file is the other's is settled by its fingerprint, told over another way.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chassis.errors import Kind, declare
from chassis.rpc.peer import Peer
from chassis.tlog.keys import read_signer, read_verifiers
from chassis.tlog.note import ED25519
from cli.local.authority import Authority
from services.certs.federated.peer_files import FILE, OwnKeys, describe_self, read_federation, read_peer_file

FINGERPRINT_WRONG = declare(
    "FINGERPRINT_WRONG",
    Kind.INVALID_ARGUMENT,
    "指纹不符:该文件的指纹为 {found}",
    "The fingerprint is another one; this file's is {found}",
)
REGISTRY_NOT_NAMED = declare(
    "REGISTRY_NOT_NAMED",
    Kind.FAILED_PRECONDITION,
    "本登记库尚未命名,请先运行 tongban federation init",
    "This registry has no name among others yet; run tongban federation init first",
)
REQUEST_WRONG = declare(
    "REQUEST_WRONG",
    Kind.INVALID_ARGUMENT,
    "对方文件中的证书请求无效",
    "The certificate request in the peer's file is no valid one",
)


@dataclass(frozen=True, slots=True)
class Registry:
    """Where a deployment keeps what its registry is among others."""

    directory: Path
    keys: Path
    """Directory with certs' own keys."""
    authority: Authority
    log_origin: str
    log_keys: Path | None = None
    """Where the log's former keys are listed, the newest first; beside certs' own keys unless told otherwise."""

    @property
    def file(self) -> Path:
        """Our id and the agreements."""
        return self.directory / FILE

    def read(self) -> dict[str, Any]:
        """Return the content of the file. Raises REGISTRY_NOT_NAMED, PEER_FILE_WRONG."""
        try:
            text = self.file.read_text(encoding="utf-8")
        except OSError:
            raise REGISTRY_NOT_NAMED() from None
        read_federation(text)
        content: dict[str, Any] = json.loads(text)
        return content

    def write(self, content: dict[str, Any]) -> None:
        """Replace the file in one step; a running certs notices. Raises PEER_FILE_WRONG."""
        text = json.dumps(content, ensure_ascii=False, indent=1)
        read_federation(text)
        self.directory.mkdir(parents=True, exist_ok=True)
        _replace(self.file, text)


def name_registry(registry: Registry, registry_id: str, name: str) -> None:
    """Give this registry its id and name; agreements it has stay. Raises PEER_FILE_WRONG."""
    before = registry.read() if registry.file.is_file() else {"agreements": []}
    registry.write(before | {"registry_id": registry_id, "name": name})


def export_file(registry: Registry, address: str) -> tuple[str, str]:
    """Return our peer file and its fingerprint. Raises REGISTRY_NOT_NAMED."""
    content = registry.read()
    issued = {
        path.name.removesuffix(".issued.pem"): path.read_text()
        for path in sorted((registry.directory / "peers").glob("*.issued.pem"))
    }
    present, log_keys = _log_keys(registry)
    said = {
        "registry_id": content["registry_id"],
        "name": content["name"],
        "address": address,
        "log_key": present,
        "authority": registry.authority.root_file.read_text(),
        "request": _request(registry.keys / "registry_tls_key.pem", content["registry_id"]),
    }
    own = OwnKeys(registry.keys / "registry_key.pem", registry.keys / "replica_key.pem")
    signed = describe_self(own, said, issued, log_keys)
    return signed, read_peer_file(signed)[1]


def add_peer(
    registry: Registry,
    signed: str,
    fingerprint: str,
    send: Sequence[str],
    accept: Sequence[str],
    limit_seconds: int = 0,
    issues_for: Sequence[str] = (),
) -> str:
    """Agree with a peer, or anew with its newer file; return its id. Its certificate for asking us is issued.

    ``issues_for`` are the divisions of whose issuers it speaks, by default that of its id.
    Raises PEER_FILE_WRONG, FINGERPRINT_WRONG, REQUEST_WRONG, REGISTRY_NOT_NAMED.
    """
    peer, found = read_peer_file(signed)
    if found != fingerprint.strip().lower():
        raise FINGERPRINT_WRONG(found=found)
    content = registry.read()
    others = [
        each
        for each in content["agreements"]
        if read_peer_file(each["file"])[0].registry_id != peer.registry_id
    ]
    agreed = {
        "file": signed.strip(),
        "send": sorted(send),
        "accept": sorted(accept),
        "limit_seconds": limit_seconds,
        "issues_for": list(issues_for),
    }
    folder = registry.directory / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / f"{peer.registry_id}.authority.pem", peer.authority)
    ours = peer.certificates.get(content["registry_id"])
    if ours:
        _replace(folder / f"{peer.registry_id}.certificate.pem", ours)
    issued = registry.authority.certify(Peer("registry", peer.registry_id), _checked(peer.request))
    _replace(folder / f"{peer.registry_id}.issued.pem", issued.decode())
    registry.write(content | {"agreements": [*others, agreed]})
    return peer.registry_id


def agreements(registry: Registry) -> list[dict[str, Any]]:
    """Return what was agreed with whom, in plain values."""
    found = []
    for each in registry.read()["agreements"]:
        peer, fingerprint = read_peer_file(each["file"])
        found.append(
            {
                "registry_id": peer.registry_id,
                "name": peer.name,
                "address": peer.address,
                "send": each["send"],
                "accept": each["accept"],
                "limit_seconds": each.get("limit_seconds", 0),
                "issues_for": each.get("issues_for", []),
                "fingerprint": fingerprint,
                "may_ask": (registry.directory / "peers" / f"{peer.registry_id}.certificate.pem").is_file(),
            }
        )
    return found


def _log_keys(registry: Registry) -> tuple[str, list[str]]:
    """Return the key that signs the log, and every key of it, the newest last: an announced one after the present."""

    def key(name: str) -> str:
        return str(read_signer((registry.keys / name).read_bytes(), registry.log_origin, ED25519).verifier)

    present = key("log_key.pem")
    former = [str(each) for each in read_verifiers(registry.log_keys or registry.keys / "log_keys.txt")]
    coming = [key("log_key.next.pem")] if (registry.keys / "log_key.next.pem").is_file() else []
    return present, [
        *dict.fromkeys((*reversed([each for each in former if each != present]), present, *coming))
    ]


def _request(key_file: Path, registry_id: str) -> str:
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"registry/{registry_id}"[:64])])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def _checked(pem: str) -> x509.CertificateSigningRequest:
    try:
        request = x509.load_pem_x509_csr(pem.encode())
    except ValueError:
        raise REQUEST_WRONG() from None
    try:
        is_theirs = request.is_signature_valid
    except (InvalidSignature, ValueError):
        is_theirs = False
    if not is_theirs or not isinstance(request.public_key(), ec.EllipticCurvePublicKey):
        raise REQUEST_WRONG()
    return request


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
