"""Settings of intake, prefix ``TONGBAN_INTAKE_``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import MigrationSettings, ServiceSettings


class IntakeSettings(ServiceSettings):
    """What an intake process needs beyond the chassis."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_INTAKE_")

    certs_address: str
    seal_address: str
    notify_address: str
    field_keys: Path
    token_key: Path
    """PEM file of the P-256 private key that signs bearer tokens, receipts and archive manifests."""
    terminal_keys: Path | None = None
    """Directory of the terminals' public keys, ``<terminal_id>.pem``; default ``<data_dir>/terminal_keys``."""
    sweep_seconds: float = Field(default=60.0, gt=0)
    """How often silent departments and waiting deadlines are looked for."""


class IntakeMigrationSettings(MigrationSettings):
    """What its migration job needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_INTAKE_")
