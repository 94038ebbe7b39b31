"""Decoding pictures within bounds, and only the four kinds that a seal may hold."""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image

from services.seal.domain.structures import Picture

FORMATS = ("PNG", "GIF", "JPEG", "BMP")
MAX_PIXELS, MAX_BYTES = 16_000_000, 2 << 20
_DECODABLE = frozenset({"PNG", "GIF", "JPG", "JPEG", "BMP"})


class UndecodableError(ValueError):
    """The bytes are no picture that is decoded here; `reason` is kind, pixels or damaged."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decodes(picture: Picture) -> bool:
    """Return whether the picture is of a kind that is decoded here, and decodes within bounds."""
    if picture.kind.upper() not in _DECODABLE or len(picture.data) > MAX_BYTES:
        return False
    return _decodes(picture.data)


@lru_cache(maxsize=32)
def _decodes(data: bytes) -> bool:
    try:
        decode(data)
    except UndecodableError:
        return False
    return True


def decode(data: bytes) -> Image.Image:
    """Return the picture, its pixels read to the last.

    Raises:
        UndecodableError: Another kind, too many pixels, several frames, or damaged.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UndecodableError("kind") from None
    if image.width * image.height > MAX_PIXELS:
        raise UndecodableError("pixels")
    try:
        image.load()
    except Exception:  # noqa: BLE001 - decoders raise what they like on damaged data
        raise UndecodableError("damaged") from None
    return image
