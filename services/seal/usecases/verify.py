"""Verify a sealed document against our anchors, lists and, for our own seals, the register and the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from chassis.errors import BODY_TOO_LARGE, Kind, declare, refuse
from services.seal.domain.register import for_verifiers, state_at
from services.seal.domain.suite import SM3, Suites
from services.seal.domain.verification import (
    DocumentReport,
    Evidence,
    SealState,
    SealStatusLookup,
    verify_document,
)
from services.seal.usecases.ports import TrustBundle, UnitOfWork

MAX_DOCUMENT_BYTES = 20 * 1024 * 1024
ANSWER_SECONDS = 10.0
"""How long the verifying thread waits for the register."""
AS_OF_IN_FUTURE = declare(
    "AS_OF_IN_FUTURE", Kind.INVALID_ARGUMENT, "时间点不能晚于当前时间", "The moment must not lie ahead"
)
T = TypeVar("T")


async def verify(
    unit: UnitOfWork, suites: Suites, document: bytes, now: datetime, as_of: datetime | None = None
) -> DocumentReport:
    """Return what holds of every signature, as could have been known at `as_of`; verified in a thread.

    Raises BODY_TOO_LARGE, or INVALID_REQUEST for a moment that lies ahead.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise BODY_TOO_LARGE(limit_bytes=MAX_DOCUMENT_BYTES)
    refuse([AS_OF_IN_FUTURE.at("as_of")] if as_of and as_of > now else [])
    at = as_of or now
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
    return await asyncio.to_thread(verify_document, document, evidence)


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
