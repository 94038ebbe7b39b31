"""The composition root of certs: serving, and what the command line uses without a running service."""

from __future__ import annotations

from services.certs.app.catalogue import read_catalogue
from services.certs.settings import CertsMigrationSettings

__all__ = ["migration_settings", "read_catalogue", "serve"]

migration_settings = CertsMigrationSettings


async def serve() -> int:
    """Run the service until it is told to stop; return the exit status."""
    from services.certs.app import serving  # noqa: PLC0415 - the import workers and the command line do without gRPC

    return await serving.serve()
