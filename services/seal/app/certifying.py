"""The maker's part of time stamping: keys of our own authority certified, roots of others' believed about time."""

from __future__ import annotations

from chassis.clock import system_clock
from chassis.logs import get_logger
from services.seal.providers import load_suites
from services.seal.settings import SealMakerSettings
from services.seal.trust_files import read_certificates
from services.seal.tsa.exchange import StampingExchange
from services.seal.usecases.certify_stamping import StampingIssuer, certify_stamping, trust_stampers
from services.seal.usecases.ports import UnitOfWork
from services.seal.usecases.workshop import Workshop

_log = get_logger(__name__)


async def certify_stamping_keys(unit: UnitOfWork, settings: SealMakerSettings, workshop: Workshop) -> None:
    """Certify what the time-stamping authority asks for, and keep the anchors of others; again changes nothing.

    Raises TRUST_FILES_UNREADABLE.
    """
    suite, second = workshop.suite, workshop.companion
    if settings.tsa_anchors_dir is not None:
        await trust_stampers(unit, read_certificates(settings.tsa_anchors_dir), suite)
    if settings.tsa_exchange_dir is None:
        return
    desk = StampingExchange(settings.tsa_exchange_dir, load_suites())
    issuers = {suite.name: StampingIssuer(suite, workshop.pki.maker_ca)}
    if second is not None:
        issuers[second.suite.name] = StampingIssuer(second.suite, second.pki.signer_ca)
    done = await certify_stamping(unit, desk, issuers, suite, system_clock())
    if done:
        _log.info("tsa_keys_certified", count=len(done))
