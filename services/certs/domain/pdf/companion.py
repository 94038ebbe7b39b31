"""What becomes of the PDF of a licence, beside the licence and never before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.errors import Kind, declare

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
"""After which seal is told of a PDF again, twice as long each time; it seals each only once."""
ASK_AGAIN = timedelta(minutes=1)
"""How long a refusal stands before whoever wants the PDF has it tried again: each try is a row of the ledger."""

LICENCE_PDF_NOT_READY = declare(
    "LICENCE_PDF_NOT_READY",
    Kind.FAILED_PRECONDITION,
    "该证照的 PDF 文件正在制作，请稍后再取",
    "The PDF of this licence is being made; ask again in a moment",
)
LICENCE_PDF_REFUSED = declare(
    "LICENCE_PDF_REFUSED",
    Kind.FAILED_PRECONDITION,
    "该证照的 PDF 文件未能加盖电子印章（{cause}），一分钟后再取将重新办理",
    "The PDF of this licence was not sealed ({cause}); asked for again after a minute it is tried again",
)
LICENCE_PDF_FOR_ORIGINAL_ONLY = declare(
    "LICENCE_PDF_FOR_ORIGINAL_ONLY",
    Kind.FAILED_PRECONDITION,
    "PDF 只提供给可取得原件的持证主体和发证机关，加注件请以 OFD 格式获取",
    "The PDF is for who may have the original; annotated copies are given as OFD only",
)
LICENCE_PDF_NOT_WAITING = declare(
    "LICENCE_PDF_NOT_WAITING",
    Kind.FAILED_PRECONDITION,
    "该证照没有待签章的 PDF 文件",
    "The licence has no PDF that waits for a seal",
)


class PdfState(StrEnum):
    """Where the PDF stands: to be sealed, sealed at seal, here, or refused."""

    WAITING = "waiting"
    SIGNED = "signed"
    SEALED = "sealed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class LicencePdf:
    """The PDF companion of one licence; digests are hex SHA-256. ``due_at`` is when it is looked at next."""

    licence_id: str
    state: PdfState
    changed_at: datetime
    """Since when it is in this state."""
    due_at: datetime | None
    attempts: int = 0
    """How often seal was told of it."""
    unsealed_sha256: str = ""
    signature_id: str = ""
    announced_sha256: str = ""
    """What seal said that it sealed."""
    sealed_sha256: str = ""
    refusal: str = ""
    """Reason code of the last refusal."""

    @property
    def files(self) -> tuple[str, ...]:
        """The digests of the files that are kept of it."""
        return tuple(each for each in (self.unsealed_sha256, self.sealed_sha256) if each)

    def told(self, unsealed_sha256: str, now: datetime) -> LicencePdf:
        """Return it after seal was told of it."""
        attempts = self.attempts + 1
        return replace(
            self,
            attempts=attempts,
            unsealed_sha256=unsealed_sha256,
            due_at=now + _wait(attempts),
        )

    def signed(self, signature_id: str, document_sha256: str, now: datetime) -> LicencePdf:
        """Return it after seal sealed it; the document is to be fetched."""
        return replace(
            self,
            state=PdfState.SIGNED,
            signature_id=signature_id,
            announced_sha256=document_sha256,
            refusal="",
            changed_at=now,
            due_at=now,
        )

    def kept(self, sealed_sha256: str, now: datetime) -> LicencePdf:
        """Return it once the sealed document is here."""
        return replace(self, state=PdfState.SEALED, sealed_sha256=sealed_sha256, changed_at=now, due_at=None)

    def refused(self, reason: str, now: datetime) -> LicencePdf:
        """Return it after a refusal."""
        return replace(self, state=PdfState.REFUSED, refusal=reason, changed_at=now, due_at=None)

    def asked_for(self, now: datetime) -> LicencePdf:
        """Return it after somebody asked for it: an old enough refusal is tried again, from where it came to."""
        if self.state is not PdfState.REFUSED or now < self.changed_at + ASK_AGAIN:
            return self
        state = PdfState.SIGNED if self.signature_id else PdfState.WAITING
        return replace(self, state=state, changed_at=now, due_at=now)

    def postponed(self, now: datetime) -> LicencePdf:
        """Return it after an outage: it is looked at again in a while."""
        return replace(self, due_at=now + FIRST_WAIT)


def wanted(licence_id: str, now: datetime) -> LicencePdf:
    """Return the PDF of a licence that has none."""
    return LicencePdf(licence_id, PdfState.WAITING, now, now)


def _wait(attempts: int) -> timedelta:
    doublings = min(attempts - 1, 10)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)
