"""ZIP packages, looked at before anything is unpacked: what the directory says, and that it tells the truth."""

from __future__ import annotations

import io
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator

from services.intake.clients.inspection.reasons import (
    FILE_ACTIVE,
    FILE_BROKEN_INSIDE,
    FILE_TOO_COMPLEX,
    FILE_UNSAFE_NAMES,
    FileLimits,
)

_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x2041  # bits 0, 6 and 13
_TYPE_MASK, _REGULAR, _DIRECTORY = 0o170000, 0o100000, 0o040000
_PIECE = 1024 * 1024
_UNPLAIN = frozenset('\\:*?"<>|')
_END = b"PK\x05\x06"


def members(content: bytes, limits: FileLimits) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each file of a package that keeps every bound.

    All members are checked before the first is unpacked. Raises FILE_BROKEN_INSIDE, FILE_TOO_COMPLEX,
    FILE_UNSAFE_NAMES, FILE_ACTIVE for an encrypted one.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            infos = package.infolist()
            _check_directory(content, infos, limits)
            left = limits.unpacked_bytes
            for info in infos:
                data = _unpacked(package, info, min(left, info.file_size))
                left -= len(data)
                yield info.filename, data
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError) as problem:
        raise FILE_BROKEN_INSIDE() from problem
    except (ValueError, RuntimeError, LookupError, OverflowError) as problem:
        raise FILE_BROKEN_INSIDE() from problem


def _check_directory(content: bytes, infos: list[zipfile.ZipInfo], limits: FileLimits) -> None:
    if not infos or not content.startswith(b"PK\x03\x04") or content.rfind(_END) + 22 != len(content):
        raise FILE_BROKEN_INSIDE()  # bytes before or after the package are another file
    if len(infos) > limits.entries or sum(each.file_size for each in infos) > limits.unpacked_bytes:
        raise FILE_TOO_COMPLEX()
    for each in infos:
        if each.flag_bits & _ENCRYPTED:
            raise FILE_ACTIVE()
        if each.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise FILE_BROKEN_INSIDE()
        heavy = each.file_size > limits.ratio_from_bytes
        if heavy and each.file_size > limits.ratio * max(each.compress_size, 1):
            raise FILE_TOO_COMPLEX()
    _check_names(infos)
    _check_overlap(content, infos)


def _check_names(infos: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for each in infos:
        name, kind = each.orig_filename, (each.external_attr >> 16) & _TYPE_MASK
        plain = name.removesuffix("/")
        if kind not in {0, _REGULAR, _DIRECTORY} and each.create_system == 3:
            raise FILE_UNSAFE_NAMES()
        if any(part in {"", ".", ".."} for part in plain.split("/")) or not _UNPLAIN.isdisjoint(name):
            raise FILE_UNSAFE_NAMES()
        if any(unicodedata.category(char)[0] == "C" for char in name):  # control and direction marks
            raise FILE_UNSAFE_NAMES()
        key = unicodedata.normalize("NFC", plain).casefold()
        if key in seen:
            raise FILE_UNSAFE_NAMES()
        seen.add(key)


def _check_overlap(content: bytes, infos: list[zipfile.ZipInfo]) -> None:
    """Refuse members that share bytes: a bomb of a few kilobytes that lists one kernel a thousand times."""
    end = 0
    for each in sorted(infos, key=lambda info: info.header_offset):
        if each.header_offset < end:
            raise FILE_TOO_COMPLEX()
        head = _LOCAL.unpack_from(content, each.header_offset)
        end = each.header_offset + _LOCAL.size + head[9] + head[10] + each.compress_size


def _unpacked(package: zipfile.ZipFile, info: zipfile.ZipInfo, bound: int) -> bytes:
    """Return a member's bytes, never more than announced, whatever its stream goes on to say."""
    parts, taken = [], 0
    with package.open(info) as stream:
        while part := stream.read(_PIECE):
            taken += len(part)
            if taken > bound:
                raise FILE_TOO_COMPLEX()
            parts.append(part)
    return b"".join(parts)
