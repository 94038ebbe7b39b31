"""The report on a sealed file as a program reads it."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict

from services.intake.api.shapes import View
from services.intake.usecases.file_verification import FileReport


class _Read(View):
    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class FileCheckView(_Read):
    """One check: valid, invalid, indeterminate or not_applicable."""

    name: str
    result: str
    reason: str
    detail_zh: str
    detail_en: str
    clause: str


class NoteView(_Read):
    """Something worth saying that changes no result."""

    zh: str
    en: str
    detail: str


class StampView(_Read):
    """Where a signature is shown: page from 1, millimetres from the top left."""

    page: int
    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float


class PartView(_Read):
    """A part of the file; ``page`` is 0 for what is no page."""

    kind: str
    name: str
    page: int


class CoverageView(_Read):
    """What a signature protects, and what it leaves open."""

    protected: list[PartView]
    unprotected: list[PartView]
    pages: int
    protected_pages: list[int]
    closed: bool
    left_out: int


class FileSignatureView(_Read):
    """One signature: ``verdict`` at the stated time of signing, ``now_verdict`` with the present counted in."""

    verdict: str
    now_verdict: str
    seal_id: str
    seal_name: str
    signer: str
    signed_at: datetime | None
    proved_at: datetime | None
    checks: list[FileCheckView]
    now_checks: list[FileCheckView]
    notes: list[NoteView]
    stamps: list[StampView]
    coverage: CoverageView | None


class CopyView(_Read):
    """What an annotated copy says of itself; it may not be used as an original."""

    made_at: str
    use_cause: str
    expires_at: str
    original_sha256: str


class FileView(_Read):
    """VALID, INVALID, INDETERMINATE or UNSIGNED; ``format`` is ofd or pdf."""

    verdict: str
    now_verdict: str
    format: str
    sha256: str
    as_of: datetime
    container: FileCheckView
    signatures: list[FileSignatureView]
    annotated_copy: CopyView | None


def file_view(report: FileReport) -> FileView:
    """Return the report for a program."""
    return FileView.model_validate(report, from_attributes=True)
