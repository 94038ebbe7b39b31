"""How a command reaches the running local stack: addresses from stack.json, identities from its authority."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from chassis.auth import signing_key_from_pem
from chassis.clock import system_clock
from chassis.rpc.peer import Peer
from cli.clients.department import Department
from cli.clients.door import Door
from cli.clients.kiosk import Kiosk
from cli.local.authority import open_authority
from cli.local.layout import Layout
from cli.local.state import StackState


@dataclass(frozen=True, slots=True)
class Reach:
    """A running stack seen from outside: only its public doors, each with the identity that may use it."""

    layout: Layout
    state: StackState

    def department(self, uscc: str) -> Department:
        """Return a department's system with the certificate of the local authority."""
        tls = open_authority(self.layout.certificates).identity(Peer("department", uscc))
        addresses = {name: self.state.services[name].grpc for name in ("intake", "certs", "seal")}
        return Department(uscc, tls, addresses)

    def door(self, service: str) -> Door:
        """Return a service's HTTP door; one that speaks TLS must show a certificate of the authority."""
        at = self.state.services[service].http
        if not at.startswith("https://"):
            return Door(service, f"http://{at}")
        authority = self.layout.certificates / "authority.pem"
        return Door(service, at, ssl.create_default_context(cafile=str(authority)))

    def kiosk(self, door: Door, terminal_id: str) -> Kiosk:
        """Return a terminal with the key that the local authority registered for it."""
        tls = open_authority(self.layout.certificates).identity(Peer("terminal", terminal_id))
        return Kiosk(door, terminal_id, signing_key_from_pem(tls.key.read_bytes()), now=system_clock)
