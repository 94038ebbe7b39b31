"""How every aiokafka client of a bus connects."""

from __future__ import annotations

from dataclasses import dataclass
from ssl import SSLContext, TLSVersion, create_default_context
from typing import Any

from chassis.bus.port import BusConfig
from chassis.errors import Kind, declare
from chassis.renewing_tls import RenewingContext

REQUEST_TIMEOUT_MS = 10_000

BUS_CERTIFICATES_UNREADABLE = declare(
    "BUS_CERTIFICATES_UNREADABLE",
    Kind.FAILED_PRECONDITION,
    "消息总线的证书文件无法读取",
    "The certificate files for the bus cannot be read",
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A bus configuration and the TLS context made from it, None for plain text."""

    config: BusConfig
    tls: SSLContext | None

    @classmethod
    def of(cls, config: BusConfig) -> Connection:
        """Read the certificates, now and whenever they were renewed. Raises BUS_CERTIFICATES_UNREADABLE."""
        if config.tls_ca_file is None:
            return cls(config, None)
        files = (config.tls_ca_file, config.tls_cert_file, config.tls_key_file)
        paths = [each for each in files if each is not None]
        try:
            tls = RenewingContext.watching(paths, lambda: _context(config), server_side=False)
        except OSError as problem:  # ssl.SSLError is one
            raise BUS_CERTIFICATES_UNREADABLE() from problem
        return cls(config, tls)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments every client gets."""
        return {
            "bootstrap_servers": self.config.kafka_bootstrap,
            "client_id": self.config.client_id,
            "security_protocol": "SSL" if self.tls else "PLAINTEXT",
            "ssl_context": self.tls,
        }


def _context(config: BusConfig) -> SSLContext:
    # Only this authority: the system's own are not asked where a file is named.
    tls = create_default_context(cafile=str(config.tls_ca_file))
    tls.minimum_version = TLSVersion.TLSv1_2
    if config.tls_cert_file:
        tls.load_cert_chain(config.tls_cert_file, config.tls_key_file)
    return tls
