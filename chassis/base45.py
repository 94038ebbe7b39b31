"""Base45 (RFC 9285): bytes in the 45 signs that a QR code packs densest, 97 % of its room for bytes.

It is a text at the same time: it goes through keyboards, command lines and JSON, which raw bytes do not.
"""

from __future__ import annotations

import struct

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_BASE = 45
_VALUES = bytes(ALPHABET.find(chr(code)) & 0xFF for code in range(256))
"""The value of each sign by its code, 255 for what is none."""


def encode(content: bytes) -> str:
    """Return the text: three signs for two bytes, two for a last single one."""
    signs = []
    for at in range(0, len(content), 2):
        pair = content[at : at + 2]
        number = int.from_bytes(pair)
        for _ in range(len(pair) + 1):
            number, value = divmod(number, _BASE)
            signs.append(ALPHABET[value])
    return "".join(signs)


def decode(text: str) -> bytes:
    """Return the bytes. Raises ValueError for what `encode` does not make."""
    if not text.isascii() or max(values := text.encode().translate(_VALUES), default=0) >= _BASE:
        message = "a sign that is none of Base45"
        raise ValueError(message)
    whole = len(values) // 3 * 3
    thirds = zip(values[0:whole:3], values[1:whole:3], values[2:whole:3], strict=True)
    try:
        content = struct.pack(f">{whole // 3}H", *[a + b * _BASE + c * _BASE**2 for a, b, c in thirds])
        return content + _single(values[whole:])
    except struct.error as problem:
        message = "not Base45"
        raise ValueError(message) from problem


def _single(values: bytes) -> bytes:
    """Return the last byte of an odd number of them. Raises ValueError, struct.error."""
    if not values:
        return b""
    first, second = values
    return struct.pack("B", first + second * _BASE)
