"""The PEM files of mutual TLS: own chain, own key, the authority both sides trust."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chassis.fresh import FreshFiles


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the three PEM files are; read when a server or channel opens and on renewal."""

    certificate: Path
    key: Path
    authority: Path

    @property
    def paths(self) -> tuple[Path, Path, Path]:
        """All three."""
        return self.certificate, self.key, self.authority


def read_pair(files: TlsFiles) -> tuple[bytes, bytes]:
    """Return key and chain. Raises ValueError unless they belong together: one may be replaced before the other."""
    key, chain = files.key.read_bytes(), files.certificate.read_bytes()
    shown = x509.load_pem_x509_certificate(chain).public_key()
    if load_pem_private_key(key, None).public_key() != shown:
        message = "key and certificate do not belong together"
        raise ValueError(message)
    return key, chain


def channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """Return what a client shows and trusts. Raises ValueError, OSError."""
    key, chain = read_pair(files)
    return grpc.ssl_channel_credentials(files.authority.read_bytes(), key, chain)


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Return what a server shows and trusts; clients without a certificate are refused.

    New connections use renewed files without a restart; while the files do not fit together, mid-replacement,
    they use what was shown before. Raises ValueError, OSError.
    """
    watched = FreshFiles(files.paths, lambda: _configuration(files))
    shown = watched.current()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        newest = watched.look()
        if newest is shown:
            return None
        shown = newest
        return newest

    return grpc.dynamic_ssl_server_credentials(
        shown,
        renewed,  # type: ignore[arg-type]  # None stands for "unchanged", which the stubs do not say
        require_client_authentication=True,
    )


def _configuration(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([read_pair(files)], files.authority.read_bytes())
