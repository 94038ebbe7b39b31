"""The rules by media type; pure: bytes in, bytes to keep out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chassis.inspection.kinds import JPEG, OFD, PDF, PNG
from chassis.inspection.reasons import FILE_TOO_COMPLEX, LIMITS, FileLimits


def inspect(content: bytes, media_type: str, limits: FileLimits = LIMITS) -> bytes:
    """Return what to keep of a file. Raises one of `reasons.BY_CODE`."""
    if len(content) > limits.packed_bytes:
        raise FILE_TOO_COMPLEX()
    return _RULES[media_type](content, limits)


def _pdf(content: bytes, limits: FileLimits) -> bytes:
    from chassis.inspection.papers import inspect_pdf  # noqa: PLC0415 - one library per process

    return inspect_pdf(content, limits)


def _ofd(content: bytes, limits: FileLimits) -> bytes:
    from chassis.inspection.packages import inspect_ofd  # noqa: PLC0415

    return inspect_ofd(content, limits)


def _image(kind: str) -> Callable[[bytes, FileLimits], bytes]:
    def look(content: bytes, limits: FileLimits) -> bytes:
        from chassis.inspection.images import inspect_image  # noqa: PLC0415

        return inspect_image(content, kind, limits)

    return look


_RULES: Mapping[str, Callable[[bytes, FileLimits], bytes]] = {
    PDF: _pdf,
    OFD: _ofd,
    JPEG: _image("JPEG"),
    PNG: _image("PNG"),
}
