"""JPEG and PNG: not too many pixels, readable to the end, and written anew without metadata (ASVS 14.2.8).

The compressed picture stays bit for bit; places, cameras, names, comments and bytes after the end go.
Of a JPEG's EXIF only which side is up is kept.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib

from PIL import Image

from services.intake.clients.inspection.reasons import FILE_BROKEN_INSIDE, FILE_TOO_COMPLEX, FileLimits

_ORIENTATION = 0x0112
_KEPT_CHUNKS = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"sBIT"}
)
_SOI, _EOI, _SOS, _APP0, _ADOBE = 0xD8, 0xD9, 0xDA, 0xE0, 0xEE
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_PNG_START = b"\x89PNG\r\n\x1a\n"


def inspect_image(content: bytes, kind: str, limits: FileLimits) -> bytes:
    """Return the image without metadata; ``kind`` is "JPEG" or "PNG".

    Raises FILE_TOO_COMPLEX for too many pixels, FILE_BROKEN_INSIDE for what cannot be decoded whole.
    """
    try:
        orientation = _decode(content, kind, limits)
        return _clean_jpeg(content, orientation) if kind == "JPEG" else _clean_png(content)
    except Image.DecompressionBombError as problem:
        raise FILE_TOO_COMPLEX() from problem
    except (OSError, SyntaxError, ValueError, struct.error, IndexError, zlib.error, EOFError) as problem:
        raise FILE_BROKEN_INSIDE() from problem


def _decode(content: bytes, kind: str, limits: FileLimits) -> int:
    """Prove that every pixel can be read; return the orientation, 1 to 8."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(content), formats=[kind]) as image:
            width, height = image.size
            if width * height > limits.pixels:
                raise FILE_TOO_COMPLEX()
            found = image.getexif().get(_ORIENTATION, 1)
            image.load()
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _clean_jpeg(content: bytes, orientation: int) -> bytes:
    kept = [b"\xff\xd8"]
    if orientation != 1:
        kept.append(_exif(orientation))
    position = 2
    while True:
        if content[position] != 0xFF:
            raise ValueError("no marker where one is due")
        marker = content[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == _EOI:
            return b"".join([*kept, b"\xff\xd9"])
        if marker in _ALONE:
            kept.append(content[position : position + 2])
            position += 2
            continue
        (length,) = struct.unpack_from(">H", content, position + 2)
        end = position + 2 + length
        if length < 2 or end > len(content):
            raise ValueError("a segment is cut short")
        if marker < _APP0 or marker in {_APP0, _ADOBE}:  # tables, frames, scans, JFIF, Adobe's colours
            kept.append(content[position:end])
        if marker == _SOS:
            start, end = end, _end_of_scan(content, end)
            kept.append(content[start:end])
        position = end


def _end_of_scan(content: bytes, position: int) -> int:
    while True:
        position = content.index(b"\xff", position)
        if content[position + 1] != 0 and not 0xD0 <= content[position + 1] <= 0xD7:
            return position
        position += 2


def _exif(orientation: int) -> bytes:
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def _clean_png(content: bytes) -> bytes:
    kept, position = [_PNG_START], len(_PNG_START)
    while True:
        length, name = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        if end > len(content):
            raise ValueError("a chunk is cut short")
        (told,) = struct.unpack_from(">I", content, end - 4)
        if zlib.crc32(content[position + 4 : end - 4]) != told:
            raise ValueError("a chunk is not what its checksum says")
        if name in _KEPT_CHUNKS:
            kept.append(content[position:end])
        if name == b"IEND":
            return b"".join(kept)
        position = end
