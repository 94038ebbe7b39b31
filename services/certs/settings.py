"""Settings of certs, prefix ``TONGBAN_CERTS_``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import MigrationSettings, ServiceSettings


class CertsSettings(ServiceSettings):
    """What a certs process needs beyond the chassis."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_CERTS_")

    intake_address: str
    seal_address: str
    field_keys: Path
    presentation_key: Path
    """PEM file of the P-256 private key that signs presentation QR codes."""
    expiry_sweep_seconds: float = Field(default=300.0, gt=0, le=86_400)


class CertsMigrationSettings(MigrationSettings):
    """What its migration job needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_CERTS_")
