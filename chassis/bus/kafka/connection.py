"""How every aiokafka client of a bus connects."""

from __future__ import annotations

from dataclasses import dataclass
from ssl import SSLContext, create_default_context
from typing import Any

from chassis.bus.port import BusConfig

REQUEST_TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Connection:
    """A bus configuration and the TLS context made from it, None for plain text."""

    config: BusConfig
    tls: SSLContext | None

    @classmethod
    def of(cls, config: BusConfig) -> Connection:
        """Read the certificates once."""
        if config.tls_ca_file is None:
            return cls(config, None)
        tls = create_default_context(cafile=str(config.tls_ca_file))
        if config.tls_cert_file:
            tls.load_cert_chain(str(config.tls_cert_file), config.tls_key_file and str(config.tls_key_file))
        return cls(config, tls)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments every client gets."""
        return {
            "bootstrap_servers": self.config.kafka_bootstrap,
            "client_id": self.config.client_id,
            "security_protocol": "SSL" if self.tls else "PLAINTEXT",
            "ssl_context": self.tls,
        }
