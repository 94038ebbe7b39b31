"""Verify a sealed document, or a seal, against our anchors and lists and, for our own seals, register and ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from chassis.errors import BODY_TOO_LARGE, Kind, declare, refuse
from services.seal.domain.ofd import PackageError, XmlError, read_package, view_document
from services.seal.domain.suite import Suites
from services.seal.domain.verification import (
    DocumentReport,
    Evidence,
    SealReport,
    verify_document,
    verify_seal,
)
from services.seal.usecases.evidence import CredentialLookup, asking
from services.seal.usecases.expected_signatures import expected_signatures
from services.seal.usecases.ports import UnitOfWork

MAX_DOCUMENT_BYTES = 20 * 1024 * 1024
"""What one call may carry."""
MAX_FILE_BYTES = 64 * 1024 * 1024
"""Of a file that comes in chunks."""
MAX_SEAL_BYTES = 4 * 1024 * 1024
AS_OF_IN_FUTURE = declare(
    "AS_OF_IN_FUTURE", Kind.INVALID_ARGUMENT, "时间点不能晚于当前时间", "The moment must not lie ahead"
)
FILE_KIND_UNKNOWN = declare(
    "FILE_KIND_UNKNOWN",
    Kind.INVALID_ARGUMENT,
    "只能核验 OFD 和 PDF 文件",
    "Only OFD and PDF files can be verified",
)


class FileKind(StrEnum):
    """Which kind of document it is, by its first bytes."""

    OFD = "ofd"
    PDF = "pdf"


class PdfJudge(Protocol):
    """Reads PDFs. Call it in a thread; both may raise PEER_UNAVAILABLE."""

    def verify(
        self, document: bytes, evidence: Evidence, credentials: CredentialLookup | None
    ) -> DocumentReport:
        """Return what holds of every signature; credentials are asked by seal id."""
        ...

    def count(self, document: bytes) -> int:
        """Return how many seals the document carries."""
        ...


def kind_of(document: bytes) -> FileKind:
    """Return what the content is. Raises FILE_KIND_UNKNOWN."""
    if document.startswith(b"%PDF-"):
        return FileKind.PDF
    if document.startswith(b"PK"):
        return FileKind.OFD
    raise FILE_KIND_UNKNOWN()


@dataclass(frozen=True, slots=True)
class Verifier:
    """Judges by what could have been known at a moment; documents and seals are verified in threads."""

    unit: UnitOfWork
    suites: Suites
    pdf: PdfJudge

    async def file(
        self, document: bytes, now: datetime, as_of: datetime | None = None
    ) -> tuple[FileKind, DocumentReport]:
        """Return what the content is, and what holds of every signature in it.

        A document of ours that has fewer signatures than the ledger knows is INVALID (SIGNATURES_REMOVED).
        Raises FILE_KIND_UNKNOWN; BODY_TOO_LARGE; INVALID_REQUEST for a moment that lies ahead; PEER_UNAVAILABLE.
        """
        if len(document) > MAX_FILE_BYTES:
            raise BODY_TOO_LARGE(limit_bytes=MAX_FILE_BYTES)
        kind = kind_of(document)
        return kind, await self._judged(document, kind, _moment(now, as_of))

    async def document(self, document: bytes, now: datetime, as_of: datetime | None = None) -> DocumentReport:
        """Return the same, of at most `MAX_DOCUMENT_BYTES`; what is no PDF is read as an OFD, whatever it is."""
        if len(document) > MAX_DOCUMENT_BYTES:
            raise BODY_TOO_LARGE(limit_bytes=MAX_DOCUMENT_BYTES)
        kind = FileKind.PDF if document.startswith(b"%PDF-") else FileKind.OFD
        return await self._judged(document, kind, _moment(now, as_of))

    async def seal(
        self, seal: bytes, now: datetime, used_at: datetime | None = None, as_of: datetime | None = None
    ) -> SealReport:
        """Return what holds of a seal by itself for a use at a moment. Raises BODY_TOO_LARGE, INVALID_REQUEST."""
        if len(seal) > MAX_SEAL_BYTES:
            raise BODY_TOO_LARGE(limit_bytes=MAX_SEAL_BYTES)
        at = _moment(now, as_of)
        evidence, _ = await asking(self.unit, self.suites, at)
        return await asyncio.to_thread(verify_seal, seal, used_at or at, evidence)

    async def _judged(self, document: bytes, kind: FileKind, at: datetime) -> DocumentReport:
        evidence, credentials = await asking(self.unit, self.suites, at)
        judge: Callable[[Evidence], DocumentReport]
        if kind is FileKind.PDF:
            judge = lambda known: self.pdf.verify(document, known, credentials)  # noqa: E731
        else:
            judge = lambda known: verify_document(document, known)  # noqa: E731
        report = await asyncio.to_thread(judge, evidence)
        due = await expected_signatures(self.unit, document, report, self._count, at)
        if due is None:
            return report
        return await asyncio.to_thread(judge, replace(evidence, expected_signatures=due))

    def _count(self, document: bytes) -> int:
        if document.startswith(b"%PDF-"):
            return self.pdf.count(document)
        try:
            return len(view_document(read_package(document)).signatures)
        except (PackageError, XmlError):  # sealed by rules that were less strict
            return 0


def _moment(now: datetime, as_of: datetime | None) -> datetime:
    refuse([AS_OF_IN_FUTURE.at("as_of")] if as_of and as_of > now else [])
    return as_of or now
