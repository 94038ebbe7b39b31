"""How many signatures a document of ours had, so that one that was taken away is missed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

from services.seal.domain.ledger import SealUse
from services.seal.domain.verification import DocumentReport
from services.seal.usecases.ports import UnitOfWork, Work

_FURTHEST, _BRANCHES = 100, 8
Count = Callable[[bytes], int]


async def expected_signatures(
    unit: UnitOfWork, document: bytes, report: DocumentReport, count: Count, known_by: datetime
) -> int | None:
    """Return how many signatures the ledger knew by a moment, None where document and signatures are not ours.

    The ledger says from which bytes each sealing made which: from the document as it came, and from any signature
    of it, the way leads to the last sealing, whose bytes are kept. A document that stands as it was when it was
    sealed further has too few; who wants it judged as of then asks so. Where the ways part, the shortest counts.
    """
    digest = hashlib.sha256(document).hexdigest()
    async with unit() as work:
        begun = await _of_signatures(work, report, known_by) or await _further(work, digest, known_by)
        last = [
            await work.ledger.document(use.entry.signature_id) for use in await _last(work, begun, known_by)
        ]
    kept = [each for each in last if each is not None]
    if not kept or digest in {each.sha256 for each in kept}:
        return None
    return min([await asyncio.to_thread(count, each.ofd) for each in kept])


async def _of_signatures(work: Work, report: DocumentReport, known_by: datetime) -> list[SealUse]:
    """Return the newest sealing whose signature the document carries: the older ones lead there as well."""
    digests = [each.signature_digest for each in report.signatures if each.signature_digest]
    uses = [await work.ledger.sealed_with(digest.hex()) for digest in digests]
    known = [each for each in uses if each is not None and each.entry.used_at <= known_by]
    return sorted(known, key=lambda each: each.sequence)[-1:]


async def _further(work: Work, document_sha256: str, known_by: datetime) -> list[SealUse]:
    """Return the sealings that a document went into."""
    uses = await work.ledger.sealed_from(document_sha256, _BRANCHES)
    return [each for each in uses if each.entry.used_at <= known_by]


async def _last(work: Work, begun: Sequence[SealUse], known_by: datetime) -> list[SealUse]:
    """Return the sealings after which none came; where the ways part there are several."""
    seen: set[str] = set()
    waiting, last = list(begun), []
    while waiting and len(seen) < _FURTHEST:
        use = waiting.pop()
        if use.entry.signature_id in seen:
            continue
        seen.add(use.entry.signature_id)
        digest = await work.ledger.digest_of(use.entry.signature_id)
        further = await _further(work, digest, known_by) if digest else []
        waiting += further
        last += [] if further else [use]
    return last[:_BRANCHES]
