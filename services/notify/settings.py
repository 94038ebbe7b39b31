"""Settings of notify, prefix ``TONGBAN_NOTIFY_``."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from chassis.settings import MigrationSettings, ServiceSettings


class NotifySettings(ServiceSettings):
    """What a notify process needs beyond the chassis."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_NOTIFY_")

    intake_address: str
    sandbox_page: bool = False
    """Serve the page that shows what the sandbox provider took over; never in production."""


class NotifyMigrationSettings(MigrationSettings):
    """What its migration job needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_NOTIFY_")
