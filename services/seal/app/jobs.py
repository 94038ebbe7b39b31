"""The one-shot jobs: the signing side's keys, the maker's seals and lists, the check of the ledger."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from chassis import logs
from chassis.clock import system_clock
from chassis.settings import load
from services.seal.app.wiring import open_store, signing_suite
from services.seal.authorities import read_authorities
from services.seal.domain.pki import DevelopmentPki, make_development_pki
from services.seal.domain.suite import Suite
from services.seal.keystore import MakerKeystore, SoftwareKeystore
from services.seal.providers import load_suites
from services.seal.settings import SealKeySettings, SealMakerSettings
from services.seal.usecases.make_seals import Workshop, issue_lists, make_seals
from services.seal.usecases.read_register import check_ledger
from services.seal.usecases.request_keys import request_keys

EXIT_UNFINISHED = 1
_log = logs.get_logger(__name__)


async def make_keys() -> int:
    """Have a key pair in the signing side's keystore for every authority that is due a seal."""
    settings = load(SealKeySettings)
    logs.configure("seal", level=settings.log_level)
    keystore = SoftwareKeystore(settings.keystore_key.get_secret_value(), purpose="seal")
    authorities = read_authorities(settings.catalogue_dir)
    async with open_store(settings.database_dsn.get_secret_value()) as unit:
        made = await request_keys(unit, signing_suite(load_suites()), keystore, authorities, system_clock())
    _log.info("keys_made", count=len(made))
    return 0


async def make_all_seals() -> int:
    """Have a started seal for every authority with a key, and fresh lists; status 1 if keys are wanting."""
    settings = load(SealMakerSettings)
    logs.configure("sealmaker", level=settings.log_level)
    suite = signing_suite(load_suites())
    workshop = Workshop(
        suite=suite,
        pki=_maker_pki(settings.maker_dir, settings.maker_keystore_key.get_secret_value(), suite),
        operator=settings.operator,
        seal_lifetime=timedelta(days=settings.seal_lifetime_days),
        list_lifetime=timedelta(days=settings.list_lifetime_days),
    )
    authorities = read_authorities(settings.catalogue_dir)
    async with open_store(settings.database_dsn.get_secret_value()) as unit:
        making = await make_seals(unit, workshop, authorities, system_clock())
        await issue_lists(unit, workshop, system_clock())
    if making.waiting:
        _log.error("keys_wanting", owners=making.waiting, hint="run the job make-keys first")
    _log.info("seals_made", count=len(making.made))
    return EXIT_UNFINISHED if making.waiting else 0


async def verify_ledger() -> int:
    """Say whether the chain of the ledger of seal uses holds; status 1 if not."""
    settings = load(SealKeySettings)
    logs.configure("seal", level=settings.log_level)
    suite = signing_suite(load_suites())
    async with open_store(settings.database_dsn.get_secret_value()) as unit, unit() as work:
        broken = await check_ledger(work, suite.digest)
    if broken is not None:
        _log.error("ledger_broken", sequence=broken)
        return EXIT_UNFINISHED
    _log.info("ledger_holds")
    return 0


def _maker_pki(directory: Path, secret: str, suite: Suite) -> DevelopmentPki:
    kept = MakerKeystore(directory / "keystore", SoftwareKeystore(secret, purpose="seal maker"))
    if not kept.exists():
        kept.keep(make_development_pki(suite, (), system_clock()))
    return kept.load()
