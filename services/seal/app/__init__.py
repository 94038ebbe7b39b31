"""The composition root of seal: serving, its jobs, and what the command line uses without a running service."""

from __future__ import annotations

from services.seal.app.offline import verify_offline, write_trust_bundle
from services.seal.settings import SealMigrationSettings

__all__ = ["migration_settings", "serve", "verify_offline", "write_trust_bundle"]

migration_settings = SealMigrationSettings


async def serve() -> int:
    """Run the service until it is told to stop; return the exit status."""
    from services.seal.app import serving  # noqa: PLC0415 - jobs and the command line do without gRPC

    return await serving.serve()
