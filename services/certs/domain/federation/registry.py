"""Registries that know each other: who they are, and what each gives the other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chassis.errors import Kind, declare
from services.certs.domain.importing.codes import county_of, issuer_inside
from services.certs.domain.licence import Licence

REGISTRY_ID = re.compile(r"[0-9]{6}-[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
"""Division code (GB/T 2260) and a name: ``361100-city``."""
DIVISION = re.compile(r"[0-9]{6}")

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
    """Verifier key that its transparency log is signed with, as C2SP writes it."""
    authority: str = ""
    """PEM of the authority that certified its gRPC door."""
    request: str = ""
    """PEM of a certificate request: how it will show itself when it asks."""
    certificates: Mapping[str, str] = field(default_factory=dict)
    """The certificates it issued to others who ask it, PEM by registry id."""
    log_keys: tuple[str, ...] = ()
    """Every key of its log, the newest last: former ones, the present one, one that will sign; empty for that one."""

    @property
    def every_log_key(self) -> tuple[str, ...]:
        """The keys by which one of its checkpoints may be signed, the newest last."""
        return self.log_keys or (self.log_key,)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was agreed with a peer (互认协议): which types go which way, how old its replica may become."""

    peer: PeerRegistry
    send: frozenset[str] = frozenset()
    accept: frozenset[str] = frozenset()
    limit_seconds: int = 0
    """0: the types' own limits alone."""
    issues_for: tuple[str, ...] = ()
    """Divisions whose issuers it speaks for; none given: that of its id, with all below it."""

    @property
    def registry_id(self) -> str:
        """Whom it is with."""
        return self.peer.registry_id

    def reach(self, division: str) -> int:
        """Return how narrowly its divisions have this one inside them, 0 where none has."""
        return _reach(self.issues_for or (_division_of(self.registry_id),), division)


@dataclass(frozen=True, slots=True)
class Federation:
    """Who we are among registries, and with whom we agreed what."""

    registry_id: str = ""
    agreements: Mapping[str, Agreement] = field(default_factory=dict)
    own_issuers: frozenset[str] = frozenset()
    """Codes of our departments: nobody else tells of their licences."""

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

    def may_tell_of(self, agreement: Agreement, licence: Licence) -> bool:
        """Say whether a peer may speak of licences of this issuer.

        The issuer is none of our departments and of a division that the peer issues for; no registry, ours
        among them, is for a narrower part that has it. Of another issuer inside the identifier the same holds.
        """
        inside = issuer_inside(licence.identifier)
        if not self._is_theirs(agreement, licence.issuer_code):
            return False
        return not inside or inside == licence.issuer_code or self._may_stand(agreement, inside)

    def _may_stand(self, agreement: Agreement, inside: str) -> bool:
        """Say whether a peer's licence may have this issuer in its identifier; what is no code names nobody."""
        return self._is_theirs(agreement, inside) or not (self._is_own(inside) or county_of(inside))

    def _is_theirs(self, agreement: Agreement, issuer_code: str) -> bool:
        if self._is_own(issuer_code) or not (issuer_code.isascii() and issuer_code.isalnum()):
            return False
        division = county_of(issuer_code)
        ours = _reach((_division_of(self.registry_id),), division)
        narrowest = max(ours, *(each.reach(division) for each in self.agreements.values()))
        return 0 < agreement.reach(division) == narrowest

    def _is_own(self, issuer_code: str) -> bool:
        return issuer_code.upper() in self.own_issuers


def check_registry_id(registry_id: str) -> str:
    """Return a registry's id. Raises PEER_FILE_WRONG for another text."""
    if not REGISTRY_ID.fullmatch(registry_id):
        raise PEER_FILE_WRONG(cause="registry id is not <division code>-<name>")
    return registry_id


def check_divisions(divisions: Iterable[object]) -> tuple[str, ...]:
    """Return divisions that a registry issues for. Raises PEER_FILE_WRONG for what is none."""
    found = tuple(str(each) for each in divisions)
    if not all(DIVISION.fullmatch(each) for each in found):
        raise PEER_FILE_WRONG(cause="issues_for names what is no division code")
    return found


def _division_of(registry_id: str) -> str:
    return registry_id[:6]


def _reach(divisions: Iterable[str], division: str) -> int:
    """Return how many digits the narrowest of these divisions that has the given one shares with it."""
    parts = (_significant(each) for each in divisions)
    return max((len(each) for each in parts if division and division.startswith(each)), default=0)


def _significant(division: str) -> str:
    """Return a division's digits without the pairs of noughts that stand for everything below it."""
    while division.endswith("00"):
        division = division[:-2]
    return division
