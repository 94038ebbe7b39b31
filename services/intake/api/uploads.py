"""What an uploaded file is: told by its content, confirmed by its name."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePosixPath

from chassis.errors import Kind, declare

MAX_UPLOAD_BYTES = 20 * 1024 * 1024
"""Of a document sent in; a material may be held to less by its own rule."""
FORM_OVERHEAD_BYTES = 64 * 1024
"""Boundaries and headers around the file."""
MAX_ENTRIES = 2_000

UPLOAD_TYPE_UNKNOWN = declare(
    "UPLOAD_TYPE_UNKNOWN",
    Kind.INVALID_ARGUMENT,
    "只接受 PDF、OFD、JPG、PNG 文件，且扩展名须与内容一致",
    "Only PDF, OFD, JPG and PNG files, named as what they are",
)
_STARTS = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)
_SUFFIXES = {
    "application/pdf": {".pdf"},
    "image/jpeg": {".jpg", ".jpeg"},
    "image/png": {".png"},
    "application/ofd": {".ofd"},
}


def media_type_of(content: bytes, file_name: str) -> str:
    """Return the type of a file. Raises UPLOAD_TYPE_UNKNOWN for any other, or a name that says another."""
    found = next((kind for start, kind in _STARTS if content.startswith(start)), None)
    if found is None and _is_ofd(content):
        found = "application/ofd"
    suffix = PurePosixPath(file_name.replace("\\", "/")).suffix.lower()
    if found is None or suffix not in _SUFFIXES[found]:
        raise UPLOAD_TYPE_UNKNOWN()
    return found


def _is_ofd(content: bytes) -> bool:
    """Say whether it is a zip with the root file of GB/T 33190; nothing is unpacked."""
    if not content.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            names = package.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return len(names) <= MAX_ENTRIES and "OFD.xml" in names
