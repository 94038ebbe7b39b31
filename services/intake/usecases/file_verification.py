"""What seal answers about a sealed file, OFD or PDF, as a page and a program show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.intake.usecases.licences import SealCheck
from standards.annotated_copy import CopyMark


@dataclass(frozen=True, slots=True)
class ReportNote:
    """Something worth saying that changes no result."""

    zh: str
    en: str
    detail: str


@dataclass(frozen=True, slots=True)
class StampPlace:
    """A stamp: its page from 1, and its box in millimetres from the top left."""

    page: int
    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float


@dataclass(frozen=True, slots=True)
class CoveredPart:
    """A part of the file by name; `page` is 0 for what is no page."""

    kind: str
    name: str
    page: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a signature protects and what it leaves open; `closed`: nothing can be added unnoticed."""

    protected: Sequence[CoveredPart]
    unprotected: Sequence[CoveredPart]
    pages: int
    protected_pages: Sequence[int]
    closed: bool
    left_out: int


@dataclass(frozen=True, slots=True)
class FileSignature:
    """One signature: `verdict` at the stated time of signing, `now_verdict` with the present counted in."""

    verdict: str
    now_verdict: str
    seal_id: str
    seal_name: str
    signer: str
    signed_at: datetime | None
    proved_at: datetime | None
    checks: Sequence[SealCheck]
    now_checks: Sequence[SealCheck]
    notes: Sequence[ReportNote]
    stamps: Sequence[StampPlace]
    coverage: Coverage | None


@dataclass(frozen=True, slots=True)
class FileReport:
    """VALID, INVALID, INDETERMINATE or UNSIGNED; `format` is ofd or pdf, `sha256` of the file in hex."""

    verdict: str
    now_verdict: str
    format: str
    sha256: str
    as_of: datetime
    container: SealCheck
    signatures: Sequence[FileSignature]
    annotated_copy: CopyMark | None = None
    """What an annotated copy (加注件) says of itself: it is no original, whatever seals it bears."""
