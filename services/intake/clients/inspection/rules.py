"""The rules by media type; pure: bytes in, bytes to keep out. Loads every parser: for `server` only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.intake.clients.inspection.images import inspect_image
from services.intake.clients.inspection.kinds import JPEG, OFD, PDF, PNG
from services.intake.clients.inspection.packages import inspect_ofd
from services.intake.clients.inspection.papers import inspect_pdf
from services.intake.clients.inspection.reasons import FILE_TOO_COMPLEX, LIMITS, FileLimits


def inspect(content: bytes, media_type: str, limits: FileLimits = LIMITS) -> bytes:
    """Return what to keep of a file. Raises one of `reasons.BY_CODE`."""
    if len(content) > limits.packed_bytes:
        raise FILE_TOO_COMPLEX()
    return _RULES[media_type](content, limits)


def _image(kind: str) -> Callable[[bytes, FileLimits], bytes]:
    return lambda content, limits: inspect_image(content, kind, limits)


_RULES: Mapping[str, Callable[[bytes, FileLimits], bytes]] = {
    PDF: inspect_pdf,
    OFD: inspect_ofd,
    JPEG: _image("JPEG"),
    PNG: _image("PNG"),
}
