"""Seals in PDF as PAdES baseline signatures: an adapter over pyHanko, free of settings and stores."""

from __future__ import annotations

from services.seal.pdf.apart import Examiner, admit_apart, examine_apart
from services.seal.pdf.opening import LIMITS, PdfLimits
from services.seal.pdf.reading import examine
from services.seal.pdf.sealing import (
    Level,
    PdfSeal,
    PdfSealing,
    ValidationData,
    prepare_pdf_seal,
    seal_pdf,
)
from services.seal.pdf.verification import Companion, CompanionLookup, count_seals, verify_pdf

__all__ = [
    "LIMITS",
    "Companion",
    "CompanionLookup",
    "Examiner",
    "Level",
    "PdfLimits",
    "PdfSeal",
    "PdfSealing",
    "ValidationData",
    "admit_apart",
    "count_seals",
    "examine",
    "examine_apart",
    "prepare_pdf_seal",
    "seal_pdf",
    "verify_pdf",
]
