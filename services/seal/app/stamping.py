"""The time-stamping process and the job that makes its keys; a component apart from the service of seals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis import logs
from chassis.clock import Clock, system_clock
from chassis.logs import get_logger
from chassis.notifier import wait_for
from chassis.readiness import Readiness
from chassis.rpc.tls import TlsFiles
from chassis.run import Part, run
from chassis.settings import Sourced, load
from chassis.telemetry import gauge
from chassis.web import bind, serve_web
from services.seal.domain.suite import ECDSA_WITH_SHA256, SM2_WITH_SM3, Suite, Suites
from services.seal.keystore import SoftwareKeystore
from services.seal.providers import load_suites
from services.seal.tsa import ForwardClock, StampingAuthority, TsaKeys, stamping_app
from services.seal.tsa.authority import POLICY_OID

LOOK_SECONDS = 10.0
"""How often keys and certificates are looked for; a new certificate is in use after as long."""
_FIRST_LOOKS_SECONDS = 0.2
CERTIFICATE_DAYS_LEFT = gauge(
    "tsa_certificate_days_left", "Days until the first certificate in use for stamping ends", known=False
)
_log = get_logger(__name__)


class TsaKeySettings(Sourced):
    """What the job that makes keys needs: own secret, own directory, and the one that the maker sees too."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_TSA_")

    keystore_key: SecretStr
    """At least 32 characters; encrypts the time-stamping keys and nothing else."""
    directory: Path
    exchange_dir: Path
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class TsaSettings(TsaKeySettings):
    """What the time-stamping process needs; it has no database."""

    http_host: str = "127.0.0.1"
    http_port: int = Field(ge=0, le=65_535)
    share_ports: bool = False
    tls_certificate: Path
    tls_key: Path
    tls_authority: Path
    """PEM files of mutual TLS: who asks shows a certificate of the same authority."""
    policy_oid: str = Field(default=POLICY_OID, pattern=r"^[0-2](\.(0|[1-9][0-9]*)){1,30}$")
    ready_file: Path | None = None
    alive_file: Path | None = None
    """Touched while it stamps, for a health check that has no client certificate."""


async def make_tsa_keys() -> int:
    """Have a time-stamping key with a request for each suite; the maker certifies them at its next run."""
    settings = load(TsaKeySettings)
    logs.configure("tsa", level=settings.log_level)
    suites = load_suites()
    made = _keys(settings, suites).prepare(_stamped_with(suites), system_clock())
    _log.info("tsa_keys_made", count=len(made))
    return 0


async def serve_tsa() -> int:
    """Stamp until told to stop; return the exit status. Not ready before both suites have a certified key."""
    settings = load(TsaSettings)
    logs.configure("tsa", level=settings.log_level)
    suites = await asyncio.to_thread(load_suites)
    keys, clock = _keys(settings, suites), system_clock
    made = await asyncio.to_thread(keys.prepare, _stamped_with(suites), clock())
    if made:
        _log.warning("tsa_keys_made", count=len(made), hint="they wait for the maker's next run")
    forward = ForwardClock(clock, settings.directory / "clock.mark")
    authority = StampingAuthority(suites, forward, policy_oid=settings.policy_oid)
    ready = Readiness(
        *("certificates", "web"), ready_file=settings.ready_file, beside_another=settings.share_ports
    )
    try:
        parts = [_looking(keys, authority, suites, ready, settings, clock), _door(authority, ready, settings)]
        return await run(parts, ready=ready)
    finally:
        forward.close()


def _looking(
    keys: TsaKeys,
    authority: StampingAuthority,
    suites: Suites,
    ready: Readiness,
    settings: TsaSettings,
    clock: Clock,
) -> Part:
    wanted = _stamped_with(suites)

    def look() -> Callable[[], None]:
        keys.prepare(wanted, clock())
        usable = keys.usable(clock())
        return lambda: authority.use(usable)

    async def watch(stop: asyncio.Event) -> None:
        while not stop.is_set():
            (await asyncio.to_thread(look))()
            complete = len(authority.suites) == len(wanted)
            ready.set("certificates", holds=complete)
            if left := authority.days_left(clock()):
                CERTIFICATE_DAYS_LEFT.set(left)
            if ready.ready and settings.alive_file:
                settings.alive_file.touch()
            await wait_for(stop, LOOK_SECONDS if complete else _FIRST_LOOKS_SECONDS)

    return Part("certificates", watch)


def _door(authority: StampingAuthority, ready: Readiness, settings: TsaSettings) -> Part:
    tls = TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_authority)
    app = stamping_app(authority, lambda: [name for name in ready.missing() if name == "certificates"])

    async def serve(stop: asyncio.Event) -> None:
        listener = bind(settings.http_host, settings.http_port, reuse_port=settings.share_ports)
        ready.set("web", holds=True)
        await serve_web(
            app,
            settings.http_host,
            settings.http_port,
            stop,
            tls=tls,
            client_certificates=True,
            listener=listener,
        )

    return Part("web", serve)


def _keys(settings: TsaKeySettings, suites: Suites) -> TsaKeys:
    keystore = SoftwareKeystore(settings.keystore_key.get_secret_value(), purpose="tsa")
    return TsaKeys(settings.directory, settings.exchange_dir, keystore, suites)


def _stamped_with(suites: Suites) -> list[Suite]:
    found = (suites.by_signature(SM2_WITH_SM3), suites.by_signature(ECDSA_WITH_SHA256))
    return [each for each in found if each is not None]
