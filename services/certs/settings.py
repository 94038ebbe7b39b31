"""Settings of certs, prefix ``TONGBAN_CERTS_``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import MigrationSettings, ServiceSettings
from services.certs.domain.dispute import FreezeRule


class CertsSettings(ServiceSettings):
    """What a certs process needs beyond the chassis."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_CERTS_")

    intake_address: str
    seal_address: str
    field_keys: Path
    presentation_key: Path
    """PEM file of the P-256 private key that signs presentation QR codes, answers and offline statements."""
    presentation_keys: Path | None = None
    """JWKS file with the public keys of earlier ones; they go on verifying until their ``exp``."""
    log_key: Path
    """PEM file of the Ed25519 private key that signs the transparency log's checkpoints."""
    log_keys: Path | None = None
    """File with the verifier keys of earlier ones, a line each; they go on verifying what they signed."""
    log_origin: str = Field(default="tongban/certs", pattern=r"^[^\s+]{1,255}$")
    """The log's name in its checkpoints; another for every deployment whose logs can meet."""
    log_sequence_seconds: float = Field(default=0.5, gt=0, le=60)
    """How often queued leaves are taken into the log."""
    log_adoption_hours: float = Field(default=24.0, gt=0, le=8_760)
    """How long after the log began a process of an older release may still write rows without leaf."""
    log_verified_file: Path | None = None
    """JSON file of ``tongban log verify --state``; how old it is and what it found is measured."""
    log_witnesses: str = ""
    """Witnesses of the log, comma separated: ``<verifier key>@<url>``."""
    log_witnesses_inside: str = ""
    """Networks, comma separated, in which they may lie besides the public internet; plain http only there."""
    log_witness_seconds: float = Field(default=1.0, gt=0, le=3_600)
    """How often witnesses are asked for a cosignature of a newer checkpoint."""
    federation_dir: Path | None = None
    """Directory with ``federation.json``: who we are among registries and whom we agreed with; none: alone."""
    registry_key: Path | None = None
    """PEM file of the P-256 private key that signs what other registries are told."""
    replica_key: Path | None = None
    """PEM file of the P-256 private key that opens what they tell us."""
    registry_tls_key: Path | None = None
    """PEM file of the P-256 private key of the certificates that they issued to us."""
    federation_heartbeat_seconds: float = Field(default=1.0, gt=0, le=60)
    replica_limit_seconds: float = Field(default=86_400.0, gt=0)
    """How old a replica may be that answers in its issuer's place; types and agreements may be stricter."""
    replica_keep_days: int = Field(default=30, ge=1, le=3_650)
    """Days after which it is forgotten what other registries were told, where later messages say more, and which uses."""
    import_processes: int = Field(default=1, ge=0, le=32)
    """Processes beside this one that judge and encrypt the rows of larger imports; 0: a thread of this one."""
    sharing_host: str = "127.0.0.1"
    sharing_port: int | None = Field(default=None, ge=0, le=65_535)
    """Where departments ask in the form of GB/T 36906 over mutual TLS; no such door without a port."""
    expiry_sweep_seconds: float = Field(default=300.0, gt=0, le=86_400)
    life_sweep_seconds: float = Field(default=10.0, gt=0, le=86_400)
    """How often orders whose time has come, inspections and ended retentions are looked for."""

    recall_seconds: float = Field(default=0.5, gt=0, le=3_600)
    """How often falls of licences that nobody was told of are looked for."""
    reliance_answer_days: int = Field(default=15, ge=1, le=365)
    """Days after which a flagged reliance without an answer counts as left unanswered."""
    dispute_working_days: int = Field(default=15, ge=1, le=365)
    """[M]: working days for the decision of a dispute; no rule names a figure (个人信息保护法 46: promptly)."""
    dispute_freezes: FreezeRule = FreezeRule.NONE
    """Which disputes freeze uses as soon as they are opened; otherwise the issuer orders it."""


class CertsMigrationSettings(MigrationSettings):
    """What its migration job needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_CERTS_")
