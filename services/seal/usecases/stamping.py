"""Put a seal under a document: the one place where the signing side signs for licences and all others alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

from chassis.errors import Fault, Kind
from services.seal.domain.authorisation import SEAL_LIMIT_REACHED
from services.seal.domain.placing import At, Wish, plan_on_pages, plan_placements
from services.seal.domain.sealing import Placement, Protect, SealedDocument, SealInUse, seal_document
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.companions import SEAL_WITHOUT_COMPANION, PdfLevel
from services.seal.usecases.ledger_time import check_lag
from services.seal.usecases.ports import Work

_SAYS_NO = frozenset(
    {Kind.INVALID_ARGUMENT, Kind.FAILED_PRECONDITION, Kind.PERMISSION_DENIED, Kind.NOT_FOUND}
)


class DocumentFormat(StrEnum):
    """The form of a document that is sealed."""

    OFD = "ofd"
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a document is sealed: an OFD closed or left open, a PDF up to which level."""

    mode: Protect = Protect.WHOLE
    format: DocumentFormat = DocumentFormat.OFD
    level: PdfLevel = PdfLevel.B_B


def is_refusal(fault: Fault) -> bool:
    """Return whether a fault says no, which is recorded; any other may pass, and the same is tried again."""
    return fault.kind in _SAYS_NO or fault.code == SEAL_LIMIT_REACHED.code


async def stamp(
    work: Work,
    cabinet: Cabinet,
    seal_id: str,
    document: bytes,
    wishes: Sequence[Wish],
    now: datetime,
    manner: Manner = Manner(),
) -> SealedDocument:
    """Return the document with the seal at every wish; the signature may not leave before it stands in the ledger.

    Raises what `plan_placements` and `seal_document` raise, SEAL_NOT_USABLE, SIGNER_UNAVAILABLE, LEDGER_TIME_LAG,
    TIMESTAMP_UNAVAILABLE, TIMESTAMP_WRONG.
    """
    timekeeping = cabinet.timekeeping
    await check_lag(work, now, timekeeping.lag_limit)
    in_use = await cabinet.take(work.seals, seal_id)
    if manner.format is DocumentFormat.PDF:
        if cabinet.companions is None:
            raise SEAL_WITHOUT_COMPANION()
        plan = partial(_on_pages, in_use, wishes)
        return await cabinet.companions.seal(work, in_use, document, plan, now, manner.level)
    return await asyncio.to_thread(seal_ofd, document, in_use, wishes, now, manner.mode, timekeeping.stamp)


def seal_ofd(
    document: bytes,
    in_use: SealInUse,
    wishes: Sequence[Wish],
    now: datetime,
    mode: Protect,
    timestamp: Callable[[bytes], bytes],
) -> SealedDocument:
    """Return the OFD with the seal at every wish. Raises what `plan_placements` and `seal_document` raise."""
    return seal_document(document, in_use, _places(document, in_use, wishes), now, timestamp, mode=mode)


def _places(document: bytes, in_use: SealInUse, wishes: Sequence[Wish]) -> list[Placement]:
    size = _size_mm(in_use)
    return _fixed(wishes, size) or plan_placements(document, wishes, *size)


def _on_pages(
    in_use: SealInUse, wishes: Sequence[Wish], sizes_mm: Sequence[tuple[float, float]]
) -> list[Placement]:
    size = _size_mm(in_use)
    return _fixed(wishes, size) or plan_on_pages(sizes_mm, wishes, *size)


def _fixed(wishes: Sequence[Wish], size: tuple[float, float]) -> list[Placement]:
    """Return the stamps where the document itself need not tell anything, else none."""
    found = [Placement(each.page, each.x_mm, each.y_mm, *size) for each in wishes if isinstance(each, At)]
    return found if len(found) == len(wishes) else []


def _size_mm(in_use: SealInUse) -> tuple[float, float]:
    picture = in_use.seal.picture
    return float(picture.width_mm), float(picture.height_mm)
