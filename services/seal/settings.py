"""Settings of seal: the signing process and its key job ``TONGBAN_SEAL_``, the maker's job ``TONGBAN_SEALMAKER_``.

No class has both keystore secrets: who signs cannot make, who makes cannot sign.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import MigrationSettings, ServiceSettings, Sourced


class SealSettings(ServiceSettings):
    """What the signing process needs beyond the chassis."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEAL_")

    certs_address: str
    keystore_key: SecretStr
    """At least 32 characters; encrypts the authorities' private keys."""


class SealKeySettings(Sourced):
    """What the signing side's key job needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEAL_")

    database_dsn: SecretStr
    keystore_key: SecretStr
    catalogue_dir: Path = Path("catalogue")
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class SealMakerSettings(Sourced):
    """What the maker's job needs: another secret, another directory, never the signing side's."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEALMAKER_")

    database_dsn: SecretStr
    maker_keystore_key: SecretStr
    """At least 32 characters; encrypts the maker's, the authorities' CA and the status list's keys."""
    maker_dir: Path
    """Where the maker's keystore lies; its ``keystore`` folder is made on the first run."""
    operator: str = "seal-maker"
    catalogue_dir: Path = Path("catalogue")
    seal_lifetime_days: int = Field(default=1_825, ge=1, le=3_650)
    list_lifetime_days: int = Field(default=7, ge=1, le=30)
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class SealMigrationSettings(MigrationSettings):
    """What the migration job needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEAL_")
