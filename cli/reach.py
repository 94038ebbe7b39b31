"""How a command reaches the running stack: addresses from stack.json, identities from its authority.

An operator of a deployment says where the service is, and with which identity, in ``TONGBAN_OPERATOR_…``.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from pydantic_settings import SettingsConfigDict

from chassis.auth import signing_key_from_pem
from chassis.clock import system_clock
from chassis.rpc.peer import Peer
from chassis.rpc.tls import TlsFiles
from chassis.settings import Sourced, load
from cli.clients.department import Department
from cli.clients.door import Door
from cli.clients.kiosk import Kiosk
from cli.clients.registry_operator import RegistryOperator
from cli.clients.seal_desk import SealDesk
from cli.clients.seal_office import SealOffice
from cli.clients.seal_verifier import SealVerifier
from cli.clients.source_office import SourceOffice
from cli.clients.transparency import Auditor
from cli.clients.type_office import TypeOffice
from cli.local.authority import open_authority
from cli.local.control import running
from cli.local.layout import Layout
from cli.local.state import StackState

OPERATOR = Peer("operator", "local")


class OperatorSettings(Sourced):
    """Where an operator of a deployment calls seal and certs, and as whom; nothing of it for a local stack."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_OPERATOR_")

    seal_address: str | None = None
    """``host:port`` of its gRPC door."""
    certs_address: str | None = None
    certificate: Path = Path("operator.pem")
    key: Path = Path("operator.key")
    authority: Path = Path("authority.pem")


def seal_office(home: Path) -> SealOffice:
    """Return the register of seals for an operator. Raises STACK_NOT_RUNNING where no address is set."""
    return SealOffice(*_seal_door(home, OPERATOR))


def seal_desk(home: Path, department: str = "") -> SealDesk:
    """Return the use of seals for an operator, or for a department of the local stack by its USCC.

    Raises STACK_NOT_RUNNING where no address is set.
    """
    return SealDesk(*_seal_door(home, Peer("department", department) if department else OPERATOR))


def seal_verifier(home: Path) -> SealVerifier:
    """Return the verification service for an operator. Raises STACK_NOT_RUNNING where no address is set."""
    return SealVerifier(*_seal_door(home, OPERATOR))


def type_office(home: Path) -> TypeOffice:
    """Return the registry's licence types for an operator. Raises STACK_NOT_RUNNING where no address is set."""
    told = load(OperatorSettings)
    if told.certs_address:
        return TypeOffice(TlsFiles(told.certificate, told.key, told.authority), told.certs_address)
    layout = Layout(home)
    state = running(layout)
    return TypeOffice(open_authority(layout.certificates).identity(OPERATOR), state.services["certs"].grpc)


def source_office(home: Path) -> SourceOffice:
    """Return the registry's sources for an operator. Raises STACK_NOT_RUNNING where no address is set."""
    told = load(OperatorSettings)
    if told.certs_address:
        return SourceOffice(TlsFiles(told.certificate, told.key, told.authority), told.certs_address)
    layout = Layout(home)
    state = running(layout)
    return SourceOffice(open_authority(layout.certificates).identity(OPERATOR), state.services["certs"].grpc)


def log_auditor(home: Path) -> Auditor:
    """Return the registry's log for an operator. Raises STACK_NOT_RUNNING where no address is set."""
    told = load(OperatorSettings)
    if told.certs_address:
        return Auditor(TlsFiles(told.certificate, told.key, told.authority), told.certs_address)
    layout = Layout(home)
    state = running(layout)
    return Auditor(open_authority(layout.certificates).identity(OPERATOR), state.services["certs"].grpc)


def registry_operator(home: Path) -> RegistryOperator:
    """Return the registry's replicas for an operator. Raises STACK_NOT_RUNNING where no address is set."""
    told = load(OperatorSettings)
    if told.certs_address:
        return RegistryOperator(TlsFiles(told.certificate, told.key, told.authority), told.certs_address)
    layout = Layout(home)
    state = running(layout)
    address = state.services["certs"].grpc
    return RegistryOperator(open_authority(layout.certificates).identity(OPERATOR), address)


def _seal_door(home: Path, peer: Peer) -> tuple[TlsFiles, str]:
    """Return identity and address: those an operator was given, whoever they name; else the local stack's for `peer`."""
    told = load(OperatorSettings)
    if told.seal_address:
        return TlsFiles(told.certificate, told.key, told.authority), told.seal_address
    layout = Layout(home)
    state = running(layout)
    return open_authority(layout.certificates).identity(peer), state.services["seal"].grpc


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
