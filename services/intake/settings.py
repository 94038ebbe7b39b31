"""Settings of intake, prefix ``TONGBAN_INTAKE_``."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator
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
    scanner_address: str | None = None
    """clamd as ``host:port`` or the path of its socket; without it, uploads are recorded as unscanned."""
    codes_per_terminal_hour: int = Field(default=600, ge=1)
    codes_per_network_hour: int = Field(default=3_000, ge=1)
    codes_per_hour: int = Field(default=20_000, ge=1)
    """How many one-time codes leave in an hour from one terminal, one network, in all; windows by the clock."""
    oidc_issuer: str | None = Field(default=None, pattern=r"^https://")
    """An identity platform (OpenID provider) through which persons log in with a browser of their own."""
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_redirect_uri: str | None = Field(default=None, pattern=r"^https://")
    """Where the platform sends the browser back: our page, or ``…/v1/sessions/oidc/callback`` itself."""
    oidc_acr_levels: str | None = Field(default=None, pattern=r"^[!-<>-~]+=[123](\s+[!-<>-~]+=[123])*$")
    """Real-name level per ``acr``, ``urn:example:face=3 urn:example:password=2``; 4 takes a window."""
    oidc_id_number_claim: str = "id_number"
    oidc_networks: str = ""
    """Where a platform inside may lie: networks, comma separated; none: a public one."""
    oidc_authority: Path | None = None
    """PEM file of the platform's authority; the system's ones without it."""
    sweep_seconds: float = Field(default=60.0, gt=0)
    """How often silent departments and waiting deadlines are looked for."""

    @field_validator("oidc_networks")
    @classmethod
    def _check_networks(cls, given: str) -> str:
        networks_of(given)
        return given

    @classmethod
    def required_by(cls, given: dict[str, Any]) -> tuple[str, ...]:
        """Name what an identity platform needs beside its issuer."""
        platform = ("oidc_client_id", "oidc_client_secret", "oidc_redirect_uri", "oidc_acr_levels")
        return (*super().required_by(given), *(platform if given.get("oidc_issuer") else ()))

    def acr_levels(self) -> dict[str, int]:
        """Return the real-name level per ``acr``."""
        pairs = (each.rpartition("=") for each in (self.oidc_acr_levels or "").split())
        return {acr: int(level) for acr, _, level in pairs}


class IntakeMigrationSettings(MigrationSettings):
    """What its migration job needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_INTAKE_")


def networks_of(given: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks of a comma separated list. Raises ValueError."""
    return tuple(ip_network(each.strip()) for each in given.split(",") if each.strip())
