"""What a file is: told by its content, confirmed by its name."""

from __future__ import annotations

from pathlib import PurePosixPath

from chassis.errors import Kind, declare

UPLOAD_TYPE_UNKNOWN = declare(
    "UPLOAD_TYPE_UNKNOWN",
    Kind.INVALID_ARGUMENT,
    "只接受 PDF、OFD、JPG、PNG 文件，且扩展名须与内容一致",
    "Only PDF, OFD, JPG and PNG files, named as what they are",
)
PDF, JPEG, PNG, OFD = "application/pdf", "image/jpeg", "image/png", "application/ofd"
_STARTS = ((b"%PDF-", PDF), (b"\xff\xd8\xff", JPEG), (b"\x89PNG\r\n\x1a\n", PNG), (b"PK\x03\x04", OFD))
_SUFFIXES = {PDF: {".pdf"}, JPEG: {".jpg", ".jpeg"}, PNG: {".png"}, OFD: {".ofd"}}
MEDIA_TYPES = tuple(_SUFFIXES)


def media_type_of(content: bytes, file_name: str) -> str:
    """Return the type of a file by its first bytes, which its extension must fit.

    Raises UPLOAD_TYPE_UNKNOWN for any other. Whether it is one to its end is for `inspect_file` to say.
    """
    found = next((kind for start, kind in _STARTS if content.startswith(start)), None)
    suffix = PurePosixPath(file_name.replace("\\", "/")).suffix.lower()
    if found is None or suffix not in _SUFFIXES[found]:
        raise UPLOAD_TYPE_UNKNOWN()
    return found
