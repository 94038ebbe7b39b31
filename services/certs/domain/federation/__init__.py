"""Federation (跨区域互认): registries tell each other where licences stand; each stays the only authority on its own."""

from __future__ import annotations

from services.certs.domain.federation.message import (
    ANSWER_ORDINAL,
    KIND,
    NOTHING_COMPLETE,
    Heartbeat,
    LicenceMessage,
    Message,
    claims_of,
    message_of,
)
from services.certs.domain.federation.proving import (
    PROVED_WITHIN,
    REPLICA_UNPROVED,
    LeafProof,
    proof_of,
    says_so,
)
from services.certs.domain.federation.reading import MESSAGE_MALFORMED, MOST
from services.certs.domain.federation.registry import (
    FEDERATION_OFF,
    PEER_FILE_WRONG,
    REGISTRY_UNKNOWN,
    Agreement,
    Federation,
    PeerRegistry,
    check_divisions,
    check_registry_id,
)
from services.certs.domain.federation.replica import (
    CLOCKS_APART,
    REPLICA_EMPTY,
    REPLICA_FROZEN,
    REPLICA_INCOMPLETE,
    REPLICA_TOO_OLD,
    Refusal,
    ReplicaLicence,
    ReplicaState,
    Sighting,
    Source,
    replica_says,
)
from services.certs.domain.federation.shared import UNSHARED, licence_of, shared_content

__all__ = [
    "ANSWER_ORDINAL",
    "CLOCKS_APART",
    "FEDERATION_OFF",
    "KIND",
    "MESSAGE_MALFORMED",
    "MOST",
    "NOTHING_COMPLETE",
    "PEER_FILE_WRONG",
    "PROVED_WITHIN",
    "REGISTRY_UNKNOWN",
    "REPLICA_EMPTY",
    "REPLICA_FROZEN",
    "REPLICA_INCOMPLETE",
    "REPLICA_TOO_OLD",
    "REPLICA_UNPROVED",
    "UNSHARED",
    "Agreement",
    "Federation",
    "Heartbeat",
    "LeafProof",
    "LicenceMessage",
    "Message",
    "PeerRegistry",
    "Refusal",
    "ReplicaLicence",
    "ReplicaState",
    "Sighting",
    "Source",
    "check_divisions",
    "check_registry_id",
    "claims_of",
    "licence_of",
    "message_of",
    "proof_of",
    "replica_says",
    "says_so",
    "shared_content",
]
