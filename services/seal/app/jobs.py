"""The one-shot jobs: the signing side's keys, the maker's seals and lists, the check of the ledger."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from datetime import timedelta

from chassis import logs
from chassis.clock import system_clock
from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.keyring import read_keyring
from chassis.settings import load
from services.seal.app.certifying import certify_stamping_keys
from services.seal.app.wiring import companion_suite, open_store, signing_suite
from services.seal.authorities import read_authorities
from services.seal.clients import RemoteSigner
from services.seal.domain.pki import make_development_pki
from services.seal.domain.suite import Suites
from services.seal.keystore import MakerKeystore, SoftwareKeystore
from services.seal.providers import load_suites
from services.seal.settings import SealKeySettings, SealLedgerSettings, SealMakerSettings
from services.seal.trust_files import read_folder
from services.seal.usecases.evidence import evidence_of
from services.seal.usecases.ledger_time import check_checkpoints
from services.seal.usecases.make_seals import Companion, Workshop, issue_lists, make_seals
from services.seal.usecases.read_register import check_ledger
from services.seal.usecases.request_keys import request_keys

EXIT_UNFINISHED = 1
SIGNER_START_SECONDS = 30.0
_POLL_SECONDS = 0.1
_log = logs.get_logger(__name__)


async def make_keys() -> int:
    """Have an application with keys, made by the signer, for every authority that is due its official seal.

    The catalogue stands for the approval.
    """
    settings = load(SealKeySettings)
    logs.configure("seal", level=settings.log_level)
    suites = load_suites()
    signer = RemoteSigner(settings.signer_socket, suites)
    await _await_signer(signer)
    authorities = read_authorities(settings.catalogue_dir)
    cipher = FieldCipher(read_keyring(settings.field_keys), service="seal")
    # It runs before the maker, which signs the rows of an older release: nothing is judged here.
    async with open_store(settings.database_dsn.get_secret_value(), cipher) as unit:
        made = await request_keys(
            unit, signing_suite(suites), signer, authorities, system_clock(), companion_suite(suites)
        )
    _log.info("keys_made", count=len(made))
    return 0


async def make_all_seals() -> int:
    """Have a started seal for every approved application, and fresh lists; status 1 if something is wanting."""
    settings = load(SealMakerSettings)
    logs.configure("sealmaker", level=settings.log_level)
    suites = load_suites()
    workshop = open_workshop(settings, suites)
    authorities = read_authorities(settings.catalogue_dir)
    dsn = settings.database_dsn.get_secret_value()
    async with open_store(dsn, None, suites, workshop.maker_key) as unit:
        await certify_stamping_keys(unit, settings, workshop)
        making = await make_seals(unit, workshop, authorities, system_clock())
        await issue_lists(unit, workshop, system_clock())
    if making.waiting:
        _log.error("keys_wanting", owners=making.waiting, hint="run the job make-keys first")
    for application_id, reason in making.refused.items():
        _log.error("seal_not_made", application_id=application_id, reason=reason)
    _log.info("seals_made", count=len(making.made))
    return EXIT_UNFINISHED if making.waiting or making.refused else 0


async def verify_ledger() -> int:
    """Say whether the chain of the ledger of seal uses holds, and every time stamp over it; status 1 if not."""
    settings = load(SealLedgerSettings)
    logs.configure("seal", level=settings.log_level)
    suites, now = load_suites(), system_clock()
    digest = signing_suite(suites).digest
    async with open_store(settings.database_dsn.get_secret_value()) as unit, unit() as work:
        broken = await check_ledger(work, digest)
        trust = evidence_of(suites, await work.trust.bundle(now), now, None).timestamp_trust
        unproved = await check_checkpoints(work, trust, digest, now)
    if broken is not None:
        _log.error("ledger_broken", sequence=broken)
    if unproved is not None:
        _log.error("ledger_time_broken", **asdict(unproved))
    if broken is not None or unproved is not None:
        return EXIT_UNFINISHED
    _log.info("ledger_holds")
    return 0


async def _await_signer(signer: RemoteSigner) -> None:
    """Return as soon as the signer answers; it may have been started at the same moment. Raises SIGNER_UNAVAILABLE."""
    end = time.monotonic() + SIGNER_START_SECONDS
    while True:
        try:
            await asyncio.to_thread(signer.check)
        except Fault:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return


def open_workshop(settings: SealMakerSettings, suites: Suites) -> Workshop:
    """Return the maker's keys and rules; what is missing of its keystore is made.

    Raises KEYSTORE_SECRET_SHORT, KEYSTORE_UNREADABLE, KEYSTORE_INCOMPLETE, TRUST_FILES_UNREADABLE.
    """
    suite, second = signing_suite(suites), companion_suite(suites)
    secret = settings.maker_keystore_key.get_secret_value()
    kept = MakerKeystore(settings.maker_dir / "keystore", SoftwareKeystore(secret, purpose="seal maker"))
    if not kept.exists():
        kept.keep(make_development_pki(suite, (), system_clock()))
    return Workshop(
        suite=suite,
        pki=kept.load(),
        operator=settings.operator,
        seal_lifetime=timedelta(days=settings.seal_lifetime_days),
        list_lifetime=timedelta(days=settings.list_lifetime_days),
        companion=Companion(second, kept.companion(second, system_clock())),
        letters=kept.letters(),
        anchors=tuple(read_folder(settings.ca_anchors_dir or settings.maker_dir / "ca-anchors")),
        crls=tuple(read_folder(settings.ca_lists_dir or settings.maker_dir / "ca-lists")),
    )
