"""The PEM files of mutual TLS: own chain, own key, the authority both sides trust."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the three PEM files are; read when a server or channel opens and on renewal."""

    certificate: Path
    key: Path
    authority: Path

    def changed_at(self) -> float:
        """Return the youngest modification time, in seconds since the epoch."""
        return max(path.stat().st_mtime for path in (self.certificate, self.key, self.authority))


def channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """Return what a client shows and trusts."""
    return grpc.ssl_channel_credentials(
        files.authority.read_bytes(), files.key.read_bytes(), files.certificate.read_bytes()
    )


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Return what a server shows and trusts; clients without a certificate are refused.

    New connections use renewed files without a restart.
    """
    seen_at = files.changed_at()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal seen_at
        try:
            changed_at = files.changed_at()
            if changed_at == seen_at:
                return None
            fresh = _configuration(files)
        except OSError:
            return None  # mid-replacement: keep what works, look again at the next connection
        seen_at = changed_at
        return fresh

    return grpc.dynamic_ssl_server_credentials(
        _configuration(files),
        renewed,  # type: ignore[arg-type]  # None stands for "unchanged", which the stubs do not say
        require_client_authentication=True,
    )


def _configuration(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(files.key.read_bytes(), files.certificate.read_bytes())], files.authority.read_bytes()
    )
