"""Registries that know each other: who they are, and what each gives the other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chassis.errors import Kind, declare

REGISTRY_ID = re.compile(r"[0-9]{6}-[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
"""Division code (GB/T 2260) and a name: ``361100-city``."""

PEER_FILE_WRONG = declare(
    "PEER_FILE_WRONG",
    Kind.INVALID_ARGUMENT,
    "对方登记库文件有误：{cause}",
    "The peer file cannot be taken: {cause}",
)
REGISTRY_UNKNOWN = declare(
    "REGISTRY_UNKNOWN",
    Kind.PERMISSION_DENIED,
    "登记库 {registry_id} 未与本库建立互认",
    "No agreement with the registry {registry_id}",
)
FEDERATION_OFF = declare(
    "FEDERATION_OFF",
    Kind.FAILED_PRECONDITION,
    "本登记库未启用跨区域互认",
    "This registry takes part in no federation",
)


@dataclass(frozen=True, slots=True)
class PeerRegistry:
    """Another registry (对方证照库) as its signed file describes it."""

    registry_id: str
    name: str
    address: str
    """``host:port`` of its gRPC door; empty when it cannot be asked online."""
    signing_keys: Mapping[str, Any]
    """JWKS: who signs with one of these is that registry."""
    replica_key: Mapping[str, Any]
    """JWK: what is for that registry alone is encrypted to it."""
    log_key: str
    """Verifier key of its transparency log, as C2SP writes it."""
    authority: str = ""
    """PEM of the authority that certified its gRPC door."""
    request: str = ""
    """PEM of a certificate request: how it will show itself when it asks."""
    certificates: Mapping[str, str] = field(default_factory=dict)
    """The certificates it issued to others who ask it, PEM by registry id."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was agreed with a peer (互认协议): which types go which way, how old its replica may become."""

    peer: PeerRegistry
    send: frozenset[str] = frozenset()
    accept: frozenset[str] = frozenset()
    limit_seconds: int = 0
    """0: the types' own limits alone."""

    @property
    def registry_id(self) -> str:
        """Whom it is with."""
        return self.peer.registry_id


@dataclass(frozen=True, slots=True)
class Federation:
    """Who we are among registries, and with whom we agreed what."""

    registry_id: str = ""
    agreements: Mapping[str, Agreement] = field(default_factory=dict)

    @property
    def is_on(self) -> bool:
        """Whether this registry has a name among others."""
        return bool(self.registry_id)

    def of(self, registry_id: str) -> Agreement:
        """Return the agreement with a registry. Raises REGISTRY_UNKNOWN, FEDERATION_OFF."""
        if not self.is_on:
            raise FEDERATION_OFF()
        found = self.agreements.get(registry_id)
        if found is None:
            raise REGISTRY_UNKNOWN(registry_id=registry_id)
        return found


def check_registry_id(registry_id: str) -> str:
    """Return a registry's id. Raises PEER_FILE_WRONG for another text."""
    if not REGISTRY_ID.fullmatch(registry_id):
        raise PEER_FILE_WRONG(cause="registry id is not <division code>-<name>")
    return registry_id
