"""Who is at the other end of a connection, as its client certificate says.

The identity is a URI in the certificate's subject alternative name, shaped like a SPIFFE id:
``spiffe://tongban/<kind>/<name>``. TLS has verified the chain before it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from chassis.errors import NOT_AUTHENTICATED

TRUST_DOMAIN = "tongban"
PeerKind = Literal["service", "department", "terminal", "operator", "registry"]

PEER_KINDS: tuple[PeerKind, ...] = get_args(PeerKind)
IDENTITY_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_IDENTITY = re.compile(rf"spiffe://{TRUST_DOMAIN}/({'|'.join(PEER_KINDS)})/({IDENTITY_NAME})")


@dataclass(frozen=True, slots=True)
class Peer:
    """A system that holds a certificate of our authority."""

    kind: PeerKind
    name: str

    @property
    def uri(self) -> str:
        """The identity as it stands in the certificate."""
        return f"spiffe://{TRUST_DOMAIN}/{self.kind}/{self.name}"

    @property
    def host_name(self) -> str:
        """The DNS name in the same certificate, by which a caller checks whom it reached."""
        return f"{self.name}.{self.kind}.{TRUST_DOMAIN}.internal".lower()

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def read_peer(uri: str) -> Peer:
    """Return the peer of an identity URI. Raises ValueError for any other shape."""
    found = _IDENTITY.fullmatch(uri)
    if found is None:
        message = f"not an identity of {TRUST_DOMAIN}: {uri!r}"
        raise ValueError(message)
    return Peer(cast("PeerKind", found[1]), found[2])


def peer_of_uris(uris: Iterable[str]) -> Peer:
    """Return the one peer among a certificate's URIs. Raises NOT_AUTHENTICATED for none or several."""
    found = {read_peer(uri) for uri in uris if _IDENTITY.fullmatch(uri)}
    if len(found) != 1:
        raise NOT_AUTHENTICATED()
    return found.pop()


def peer_of(auth_context: Mapping[str, Iterable[bytes]]) -> Peer:
    """Return the peer of a gRPC connection's authentication context. Raises NOT_AUTHENTICATED."""
    properties = {_text(name): values for name, values in auth_context.items()}
    return peer_of_uris(value.decode("ascii", "replace") for value in properties.get("peer_uri", ()))


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
