"""Settings of intake, prefix ``TONGBAN_INTAKE_``."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from chassis.settings import MigrationSettings, ServiceSettings
from services.intake.usecases.retention import Retention


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
    retention_seconds: float = Field(default=86_400.0, gt=0)
    """How often what is past its time is deleted."""
    keep_sessions_days: int = Field(default=184, ge=184)
    """After a log-in's end: six months at least (网络安全法, network logs)."""
    keep_contact_reads_days: int = Field(default=1_096, ge=1_096)
    """Who read where a person is reached: three years at least (PIPL 56)."""
    keep_replaced_changes_days: int = Field(default=184, ge=7)
    """Changes in a department's feed that a newer one of the same part has replaced."""
    keep_drafts_days: int = Field(default=180, ge=121)
    """Drafts since they were last touched; longer than the use-codes that they were given live."""
    keep_entrustments_days: int = Field(default=1_096, ge=1_096)
    """Entrustments after their end or their taking back: as long as claims are brought (民法典 188)."""
    keep_abandoned_files_days: int = Field(default=30, ge=1)
    """Uploads since they were first seen to belong to no case: replaced, or left behind by a crash."""

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

    def retention(self) -> Retention:
        """Return for how long what is kept."""
        return Retention(
            sessions=timedelta(days=self.keep_sessions_days),
            contact_reads=timedelta(days=self.keep_contact_reads_days),
            replaced_changes=timedelta(days=self.keep_replaced_changes_days),
            drafts=timedelta(days=self.keep_drafts_days),
            entrustments=timedelta(days=self.keep_entrustments_days),
            abandoned_files=timedelta(days=self.keep_abandoned_files_days),
            every=timedelta(seconds=self.retention_seconds),
        )

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
