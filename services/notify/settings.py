"""Settings of notify, prefix ``TONGBAN_NOTIFY_``."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from chassis.settings import MigrationSettings, ServiceSettings


class NotifySettings(ServiceSettings):
    """What a notify process needs beyond the chassis."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_NOTIFY_")

    intake_address: str
    sandbox_page: bool = False
    """Serve the page that shows what the sandbox provider took over; never in production."""

    sms_primary_url: str | None = Field(default=None, pattern=r"^https://")
    sms_secondary_url: str | None = Field(default=None, pattern=r"^https://")
    """Short-message gateways, see `services.notify.clients.sms`; without one the sandbox takes them."""
    sms_primary_token: SecretStr | None = None
    sms_secondary_token: SecretStr | None = None
    sms_networks: str = ""
    """Where gateways inside may lie: networks such as ``10.8.0.0/24``, comma separated; none: public ones."""

    smtp_host: str | None = None
    """A mail server; without one no notice goes by mail."""
    smtp_port: int = Field(default=587, ge=1, le=65_535)
    smtp_security: Literal["starttls", "tls"] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_sender: str | None = Field(default=None, pattern=r"^[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,190}$")

    outside_authority: Path | None = None
    """PEM file of the authority of gateways and mail server; the system's ones without it."""

    @field_validator("sms_networks")
    @classmethod
    def _check_networks(cls, given: str) -> str:
        _networks(given)
        return given

    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return where gateways inside may lie."""
        return _networks(self.sms_networks)

    @classmethod
    def required_by(cls, given: dict[str, Any]) -> tuple[str, ...]:
        """Name what a gateway, a mail server and a log-in to it need beside."""
        needs = {
            "sms_primary_url": ("sms_primary_token",),
            "sms_secondary_url": ("sms_secondary_token", "sms_primary_url"),
            "smtp_host": ("smtp_sender",),
            "smtp_user": ("smtp_password",),
            "smtp_password": ("smtp_user",),
        }
        more = tuple(need for name, wanted in needs.items() if given.get(name) for need in wanted)
        return (*super().required_by(given), *more)


class NotifyMigrationSettings(MigrationSettings):
    """What its migration job needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_NOTIFY_")


def _networks(given: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(each.strip()) for each in given.split(",") if each.strip())
