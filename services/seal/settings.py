"""Settings of seal: the service ``TONGBAN_SEAL_``, the signer ``TONGBAN_SEALSIGNER_``, the maker ``TONGBAN_SEALMAKER_``.

No class has both keystore secrets: who signs cannot make, who makes cannot sign. The service has neither: it asks
the signer.
"""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from chassis.settings import MigrationSettings, ServiceSettings, Sourced

_STAMPER = r"(https://[!-+\--~]+|[A-Za-z0-9.-]+:[0-9]{1,5})"
STAMPERS = rf"^{_STAMPER}( *, *{_STAMPER}){{0,7}}$"


class SealSettings(ServiceSettings):
    """What the service needs beyond the chassis."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEAL_")

    certs_address: str
    signer_socket: Path
    """Where the signer listens."""
    timestampers: str = Field(pattern=STAMPERS)
    """Time-stamping authorities in the order in which they are asked, comma separated: ``host:port`` of our own
    component, ``https://…`` of another's."""
    timestampers_inside: str = ""
    """Networks, comma separated, in which the others may lie besides the public internet."""
    timestampers_authority: Path | None = None
    """PEM file of a further authority for the others' TLS certificates."""
    ledger_stamp_seconds: float = Field(default=30.0, gt=0, le=60)
    """How often the ledger of uses is time-stamped."""
    ledger_lag_seconds: float = Field(default=600.0, gt=0, le=86_400)
    """How old the oldest unstamped use may be; beyond it no seal is used (LEDGER_TIME_LAG)."""

    @field_validator("timestampers_inside")
    @classmethod
    def _networks(cls, given: str) -> str:
        for each in filter(None, given.split(",")):
            ip_network(each.strip())
        return given

    def stampers(self) -> list[str]:
        """Return the time-stamping authorities one by one."""
        return [each.strip() for each in self.timestampers.split(",")]

    def stamper_networks(self) -> list[str]:
        """Return the networks in which they may lie."""
        return [each.strip() for each in self.timestampers_inside.split(",") if each.strip()]


class SealKeySettings(Sourced):
    """What the signing side's key job needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEAL_")

    database_dsn: SecretStr
    signer_socket: Path
    field_keys: Path
    """The service's keyring: applications carry its row codes."""
    catalogue_dir: Path = Path("catalogue")
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class SealLedgerSettings(Sourced):
    """What checking the ledger needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEAL_")

    database_dsn: SecretStr
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class SealSignerSettings(Sourced):
    """What the signer needs: a socket, and the secret or the token's PIN, which nobody else is told."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEALSIGNER_")

    socket: Path
    """Its directory is made with mode 0700; at most 90 characters."""
    ready_file: Path | None = None
    keystore_key: SecretStr | None = None
    """At least 32 characters; encrypts the authorities' private keys. With a token: opens keys from before it."""
    pkcs11_module: Path | None = None
    """The library of a PKCS#11 token, in place of the software keystore."""
    pkcs11_token: str | None = None
    """The token's label."""
    pkcs11_pin: SecretStr | None = None
    threads: int = Field(default=8, ge=1, le=64)
    """Signatures at the same time."""
    waiting: int = Field(default=512, ge=1)
    """Calls beyond that are refused at once."""
    keep_open_seconds: float = Field(default=10.0, ge=0, le=300)
    """How long after its last use an opened key stays in memory; 0 opens it for each signature."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @classmethod
    def required_by(cls, given: dict[str, Any]) -> tuple[str, ...]:
        """Name what the chosen vault needs."""
        return ("pkcs11_token", "pkcs11_pin") if given.get("pkcs11_module") else ("keystore_key",)


class SealMakerSettings(Sourced):
    """What the maker's job needs: another secret, another directory, never the signing side's."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEALMAKER_")

    database_dsn: SecretStr
    maker_keystore_key: SecretStr
    """At least 32 characters; encrypts the maker's, the authorities' CA and the status list's keys."""
    maker_dir: Path
    """Where the maker's keystore lies; its ``keystore`` folder is made on the first run."""
    operator: str = "seal-maker"
    ca_anchors_dir: Path | None = None
    """Root certificates (DER or PEM) of certification authorities whose certificates may be imported; by default
    ``ca-anchors`` in the maker's directory."""
    ca_lists_dir: Path | None = None
    """Their revocation lists (``*.crl``), published with our own; by default ``ca-lists`` there."""
    tsa_exchange_dir: Path | None = None
    """Where the time-stamping authority leaves its requests and finds its certificates."""
    tsa_anchors_dir: Path | None = None
    """Certificates (DER or PEM) of others' time-stamping roots, believed about time only."""
    catalogue_dir: Path = Path("catalogue")
    seal_lifetime_days: int = Field(default=1_825, ge=1, le=3_650)
    list_lifetime_days: int = Field(default=7, ge=1, le=30)
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class SealMigrationSettings(MigrationSettings):
    """What the migration job needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEAL_")
