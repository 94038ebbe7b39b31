"""Who is at the other end of an HTTPS connection whose client shows a certificate of our authority.

The server puts the chain's first certificate into the scope as the ASGI TLS extension names it; a route
behind such a door asks ``client_peer`` for the identity, as gRPC's guard asks its connection.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography import x509
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.errors import NOT_AUTHENTICATED
from chassis.rpc.peer import Peer, peer_of_uris

EXTENSION = "tls"
CHAIN = "client_cert_chain"


def showing_client(app: ASGIApp, transport: Any) -> ASGIApp:
    """Return the application with the client's certificate in its scopes, itself where none was shown."""
    secure = transport.get_extra_info("ssl_object")
    shown = secure.getpeercert(binary_form=True) if secure is not None else None
    if shown is None:
        return app
    chain = [ssl.DER_cert_to_PEM_cert(shown)]

    async def knowing(scope: Scope, receive: Receive, send: Send) -> None:
        extensions = {**scope.get("extensions", {}), EXTENSION: {CHAIN: chain}}
        await app({**scope, "extensions": extensions}, receive, send)

    return knowing


def client_peer(scope: Mapping[str, Any]) -> tuple[Peer, dict[str, Iterable[bytes]]]:
    """Return the peer of a request and its certificate as ``chassis.rpc.suspended`` reads it.

    Raises NOT_AUTHENTICATED for a connection without a certificate, or with one that names no peer of ours.
    """
    chain = scope.get("extensions", {}).get(EXTENSION, {}).get(CHAIN) or ()
    if not chain:
        raise NOT_AUTHENTICATED()
    shown = x509.load_pem_x509_certificate(chain[0].encode())
    try:
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise NOT_AUTHENTICATED() from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return peer_of_uris(uris), {"x509_pem_cert": [chain[0].encode()]}
