"""What a verifier knows besides the document: anchors and lists of a moment, and what register and ledger answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from services.seal.domain.register import for_verifiers, state_at
from services.seal.domain.suite import ECDSA_WITH_SHA256, SM3, Suites
from services.seal.domain.verification import Evidence, SealState, SealStatusLookup
from services.seal.usecases.ports import TrustBundle, UnitOfWork

ANSWER_SECONDS = 10.0
"""How long the verifying thread waits for the register."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PdfCredential:
    """What the register keeps of a seal for PDF: its certificate there, and the seal itself."""

    certificate: bytes
    seal: bytes


CredentialLookup = Callable[[str], PdfCredential | None]


def evidence_of(
    suites: Suites,
    bundle: TrustBundle,
    now: datetime,
    seal_status: SealStatusLookup | None,
    recorded_at: Callable[[bytes], datetime | None] | None = None,
) -> Evidence:
    """Return the bundle as a verifier's evidence; own makers are picked by their fingerprints."""
    sm3 = suites.by_digest(SM3)
    own = frozenset(
        certificate
        for certificate in bundle.certificates
        if sm3 is not None and sm3.digest(certificate).hex() in bundle.own_makers
    )
    return Evidence(
        suites=suites,
        now=now,
        anchors=bundle.anchors,
        intermediates=bundle.certificates,
        crls=bundle.crls,
        own_makers=own,
        seal_status=seal_status,
        recorded_at=recorded_at,
        timestamp_anchors=bundle.timestamp_anchors,
    )


async def asking(unit: UnitOfWork, suites: Suites, at: datetime) -> tuple[Evidence, CredentialLookup]:
    """Return what is known at a moment, and what the register keeps for PDF.

    Both ask the register and the ledger when they are used: in a thread, while this loop runs.
    """
    async with unit() as work:
        bundle = await work.trust.bundle(at)
    loop = asyncio.get_running_loop()

    def ask(question: Awaitable[T]) -> T:
        return asyncio.run_coroutine_threadsafe(_await(question), loop).result(ANSWER_SECONDS)

    evidence = evidence_of(
        suites,
        bundle,
        at,
        seal_status=lambda seal_id, moment: ask(_state(unit, seal_id, moment, at)),
        recorded_at=lambda digest: ask(_recorded(unit, digest, at)),
    )
    return evidence, lambda seal_id: ask(_credential(unit, suites, seal_id))


async def _await(question: Awaitable[T]) -> T:
    return await question


async def _state(unit: UnitOfWork, seal_id: str, at: datetime, known_by: datetime) -> SealState:
    async with unit() as work:
        history = [each for each in await work.seals.history(seal_id) if each.changed_at <= known_by]
    entry = state_at(history, at)
    if entry is None:
        # A seal of ours did not exist before it was made; of another's we know nothing.
        return SealState.SUSPENDED if history else SealState.UNKNOWN
    return for_verifiers(entry.status)


async def _recorded(unit: UnitOfWork, digest: bytes, known_by: datetime) -> datetime | None:
    async with unit() as work:
        moment = await work.ledger.recorded_at(digest.hex())
    return moment if moment is None or moment <= known_by else None


async def _credential(unit: UnitOfWork, suites: Suites, seal_id: str) -> PdfCredential | None:
    suite = suites.by_signature(ECDSA_WITH_SHA256)
    async with unit() as work:
        found = await work.seals.credential(seal_id, suite.name) if suite else None
        material = await work.seals.material(seal_id) if found else None
    return PdfCredential(found.certificate, material.ses_seal) if found and material else None
