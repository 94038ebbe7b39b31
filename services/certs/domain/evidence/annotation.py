"""Annotated copies (加注件): a licence's page with purpose, consumer, case and time written across it.

A copy says in its metadata that it is one (GB/T 36903: JZJ*), until when, and of which original by its
digest. It bears no seal. It is no original anywhere: not at the import, not at the verification.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.clock import CHINA_TIME
from chassis.errors import Kind, Violation, declare
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.metadata import record_of
from services.certs.domain.ofd import Rendered
from services.certs.domain.ofd.layout import lay_out
from services.certs.domain.ofd.package import render_page
from services.certs.domain.ofd.preview import paint
from services.certs.domain.ofd.watermark import watermarked
from standards.annotated_copy import ANNOTATED_COPY, ORIGINAL_DIGEST, copy_mark

USUAL_LIFE = timedelta(days=30)
LONGEST_LIFE = timedelta(days=180)
"""As long as a use-code may live; [M], no rule names a figure."""

COPY_EXPIRY_WRONG = declare(
    "COPY_EXPIRY_WRONG",
    Kind.INVALID_ARGUMENT,
    "加注件有效期须晚于当前时间且不超过 {limit_days} 天",
    "Must lie in the future, at most {limit_days} days ahead",
)
COPY_IS_NO_ORIGINAL = declare(
    "COPY_IS_NO_ORIGINAL",
    Kind.FAILED_PRECONDITION,
    "这是加注件，不能作为证照原件使用",
    "This is an annotated copy; it may not be used as an original",
)


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is written on a copy: for what, for whom, in which case, when, until when, of which original."""

    copy_id: str
    use_cause: str
    consumer_code: str
    consumer_name: str
    case_id: str
    made_at: datetime
    expires_at: datetime
    original_sha256: str = ""
    """Empty where the registry keeps no sealed document of the licence."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The watermark, line by line."""
        case = f" 办件 {self.case_id}" if self.case_id else ""
        return (
            f"加注件 仅供{self.consumer_name or self.consumer_code}用于：{self.use_cause}",
            f"{_local(self.made_at)} 制作{case} 有效期至 {_local(self.expires_at)}",
        )

    @property
    def record(self) -> dict[str, str]:
        """The metadata of the copy, beside those of the licence."""
        times = (_local(self.made_at), _local(self.expires_at))
        creator = " ".join(filter(None, (self.consumer_name, self.consumer_code)))
        found = dict(zip(ANNOTATED_COPY, (times[0], creator, self.use_cause, times[1]), strict=True))
        return found | {ORIGINAL_DIGEST: self.original_sha256}


def expiry_violations(expires_at: datetime | None, now: datetime, at: str = "expires_at") -> list[Violation]:
    """Return what is wrong with the end of a copy; none given means `USUAL_LIFE`."""
    if expires_at is None or now < expires_at <= now + LONGEST_LIFE:
        return []
    return [COPY_EXPIRY_WRONG.at(at, limit_days=LONGEST_LIFE.days)]


def make_copy(licence: Licence, kind: LicenceType, annotation: Annotation) -> Rendered:
    """Return the copy of a licence, the same bytes for the same annotation. Raises FACE_TOO_LONG."""
    return render_page(
        licence,
        kind,
        record_of(licence) | annotation.record,
        lambda page: watermarked(page, annotation.lines),
    )


def picture_of_copy(licence: Licence, kind: LicenceType, annotation: Annotation) -> bytes:
    """Return a copy as PNG with the same lines across it. Raises FACE_TOO_LONG."""
    return paint(watermarked(lay_out(licence, kind), annotation.lines))


def refuse_copy(document: bytes) -> None:
    """Raise COPY_IS_NO_ORIGINAL for a document that is an annotated copy by its metadata."""
    if copy_mark(document) is not None:
        raise COPY_IS_NO_ORIGINAL()


def _local(moment: datetime) -> str:
    return moment.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S")
