"""Peer files: how a registry describes itself to another, and what was agreed with whom.

A peer file is signed with the registry's own key; that it is that registry's is settled outside, by
comparing its fingerprint. ``federation.json`` in the directory of the federation holds our own id and the
agreements; it is read anew when it changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from chassis.auth import DocumentSigner, public_keys, signing_key_from_pem, verify_document
from chassis.errors import Fault
from chassis.fresh import FreshFiles
from chassis.tlog.note import ED25519, Verifier
from services.certs.domain.federation import (
    PEER_FILE_WRONG,
    Agreement,
    Federation,
    PeerRegistry,
    check_divisions,
    check_registry_id,
)
from services.certs.federated.envelope import keys_of_jwks, unverified

FILE = "federation.json"
KIND = "registry"
LOG_KEYS_LIMIT = 32
_TEXTS = ("registry_id", "name", "address", "log_key", "authority", "request")


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The PEM files of this registry's P-256 keys: what it signs with, what it is encrypted to."""

    registry_key: Path
    replica_key: Path


def describe_self(
    own: OwnKeys, said: Mapping[str, str], certificates: Mapping[str, str], log_keys: Sequence[str] = ()
) -> str:
    """Return our peer file; ``said`` gives what `PeerRegistry` has as texts. Raises PEER_FILE_WRONG.

    ``log_keys`` are all keys of our log, the newest last; none for the one in ``said``.
    """
    check_registry_id(said["registry_id"])
    key = signing_key_from_pem(own.registry_key.read_bytes())
    coming = own.registry_key.with_name(f"{own.registry_key.stem}.next.pem")
    keys = [key, *([signing_key_from_pem(coming.read_bytes())] if coming.is_file() else [])]
    replica = signing_key_from_pem(own.replica_key.read_bytes())
    document = {
        **{name: said.get(name, "") for name in _TEXTS},
        "signing_keys": public_keys(keys).as_dict(private=False),
        "replica_key": public_keys([replica]).as_dict(private=False)["keys"][0],
        "certificates": dict(certificates),
        "log_keys": list(log_keys) or [said["log_key"]],
    }
    return DocumentSigner(key).sign_document(document, kind=KIND)


def read_peer_file(signed: str) -> tuple[PeerRegistry, str]:
    """Return the registry of a peer file and the fingerprint by which people compare it. Raises PEER_FILE_WRONG.

    The fingerprint is the SHA-256 of its signing and encryption keys' thumbprints and its log's keys.
    """
    try:
        claimed = unverified(signed.strip()).get("signing_keys")
        said = verify_document(
            signed.strip(), keys_of_jwks(claimed if isinstance(claimed, dict) else {}), kind=KIND
        )
    except Fault as fault:
        raise PEER_FILE_WRONG(cause=fault.en) from None
    peer = _peer(said)
    thumbs = [each.thumbprint() for each in keys_of_jwks(peer.signing_keys)]
    thumbs += [ECKey.import_key(dict(peer.replica_key)).thumbprint(), *peer.every_log_key]
    return peer, hashlib.sha256("\n".join([peer.registry_id, *thumbs]).encode()).hexdigest()


def read_federation(text: str, own_issuers: frozenset[str] = frozenset()) -> Federation:
    """Return what ``federation.json`` says, with our departments. Raises PEER_FILE_WRONG."""
    try:
        content = json.loads(text)
        registry_id = check_registry_id(content["registry_id"])
        agreements = [_agreement(each) for each in content.get("agreements", [])]
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise PEER_FILE_WRONG(cause=f"{FILE}: {type(problem).__name__}") from None
    if any(each.registry_id == registry_id for each in agreements):
        raise PEER_FILE_WRONG(cause="an agreement of this registry with itself")
    return Federation(registry_id, {each.registry_id: each for each in agreements}, own_issuers)


class LiveFederation:
    """The federation of a directory, as its file says now; off while there is no file."""

    def __init__(self, directory: Path | None, own_issuers: frozenset[str] = frozenset()) -> None:
        self._path = directory / FILE if directory else None
        self._own_issuers = own_issuers
        self._file: FreshFiles[Federation] | None = None

    def current(self) -> Federation:
        """Return the federation, at most a second old. Raises PEER_FILE_WRONG for a first file that is wrong."""
        if self._file is None:
            if self._path is None or not self._path.is_file():
                return Federation()
            path, own = self._path, self._own_issuers
            self._file = FreshFiles([path], lambda: read_federation(path.read_text(encoding="utf-8"), own))
        return self._file.current()


def _agreement(said: Mapping[str, Any]) -> Agreement:
    peer, _ = read_peer_file(said["file"])
    limit = said.get("limit_seconds", 0)
    if not isinstance(limit, int) or limit < 0:
        raise PEER_FILE_WRONG(cause="limit_seconds")
    send, accept = (frozenset(map(str, said[name])) for name in ("send", "accept"))
    return Agreement(peer, send, accept, limit, check_divisions(said.get("issues_for", ())))


def _peer(said: Mapping[str, Any]) -> PeerRegistry:
    texts = {name: said.get(name) for name in _TEXTS}
    if not all(isinstance(each, str) for each in texts.values()):
        raise PEER_FILE_WRONG(cause="a text is missing")
    check_registry_id(said["registry_id"])
    certificates = said.get("certificates")
    try:
        log_keys = _log_keys(said)
        key = ECKey.import_key(dict(said["replica_key"]))
        keys_of_jwks(said["signing_keys"])
    except Fault as fault:
        raise PEER_FILE_WRONG(cause=fault.en) from None
    except (JoseError, KeyError, TypeError, ValueError):
        raise PEER_FILE_WRONG(cause="a key cannot be read") from None
    if not isinstance(certificates, dict) or key.is_private:
        raise PEER_FILE_WRONG(cause="certificates or replica_key")
    return PeerRegistry(
        **{name: str(each) for name, each in texts.items()},
        signing_keys=said["signing_keys"],
        replica_key=said["replica_key"],
        certificates={str(name): str(pem) for name, pem in certificates.items()},
        log_keys=log_keys,
    )


def _log_keys(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of a log, all of one name; a file of an earlier release names one. Raises PEER_FILE_WRONG, NOTE_MALFORMED."""
    present = Verifier.parse(said["log_key"])
    listed = said.get("log_keys", [said["log_key"]])
    if not isinstance(listed, list) or not 0 < len(listed) <= LOG_KEYS_LIMIT:
        raise PEER_FILE_WRONG(cause="log_keys")
    keys = [Verifier.parse(str(each)) for each in listed]
    if present not in keys or any((each.name, each.kind) != (present.name, ED25519) for each in keys):
        raise PEER_FILE_WRONG(cause="log_keys")
    return tuple(str(each) for each in keys)
