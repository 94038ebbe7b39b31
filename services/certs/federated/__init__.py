"""Signed messages and peer files: the forms in which registries speak to each other."""

from __future__ import annotations

from services.certs.federated.envelope import JoseEnvelopes
from services.certs.federated.peer_files import (
    LiveFederation,
    OwnKeys,
    describe_self,
    read_federation,
    read_peer_file,
)

__all__ = [
    "JoseEnvelopes",
    "LiveFederation",
    "OwnKeys",
    "describe_self",
    "read_federation",
    "read_peer_file",
]
