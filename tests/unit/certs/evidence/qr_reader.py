"""Reads a drawn QR code back as a scanner does after it has found the modules (ISO/IEC 18004, clause 12).

What is read is the picture: black and white squares, their format bits and mask, the codewords in their
zigzag and their blocks, the segments. Errors are not corrected: a drawn code has none.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import segno
from PIL import Image
from segno import consts

SCALE, BORDER = 3, 4
_MASKS = (
    lambda r, c: (r + c) % 2 == 0,
    lambda r, c: r % 2 == 0,
    lambda r, c: c % 3 == 0,
    lambda r, c: (r + c) % 3 == 0,
    lambda r, c: (r // 2 + c // 3) % 2 == 0,
    lambda r, c: r * c % 2 + r * c % 3 == 0,
    lambda r, c: (r * c % 2 + r * c % 3) % 2 == 0,
    lambda r, c: ((r + c) % 2 + r * c % 3) % 2 == 0,
)
_FORMAT_MASK = 0b101010000010010
_LEVELS = {0b01: consts.ERROR_LEVEL_L, 0b00: consts.ERROR_LEVEL_M}
_ALPHANUMERIC, _BYTES, _END = 0b0010, 0b0100, 0
_SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def drawn(text: str) -> bytes:
    """Return the picture (PNG) of a text at level L."""
    picture = io.BytesIO()
    segno.make(text, error="l", boost_error=False, micro=False).save(
        picture, kind="png", scale=SCALE, border=BORDER
    )
    return picture.getvalue()


def version_of(text: str) -> int:
    """Return the smallest version that holds a text of the signs of Base45 at level L."""
    pairs, single = divmod(len(text), 2)
    bits = 4 + 11 * pairs + 6 * single
    fits = (
        version
        for version in range(1, 41)
        if consts.SYMBOL_CAPACITY[version][consts.ERROR_LEVEL_L]
        >= bits + (9 if version < 10 else 11 if version < 27 else 13)
    )
    return next(fits)


def read(picture: bytes) -> str:
    """Return the text of a picture."""
    image = Image.open(io.BytesIO(picture)).convert("L")
    side = image.width // SCALE - 2 * BORDER
    at = [SCALE * (BORDER + n) + SCALE // 2 for n in range(side)]
    dark = [[image.getpixel((x, y)) == 0 for x in at] for y in at]
    version = (side - 17) // 4
    code = int("".join(str(int(each)) for each in _format(dark)), 2) ^ _FORMAT_MASK
    level, mask = _LEVELS[code >> 13], _MASKS[code >> 10 & 7]
    fixed = _fixed(side, version)
    bits = [dark[r][c] ^ mask(r, c) for r, c in _zigzag(side) if (r, c) not in fixed]
    words = [int("".join("01"[bit] for bit in bits[n : n + 8]), 2) for n in range(0, len(bits) - 7, 8)]
    return _text("".join(f"{each:08b}" for each in _deinterleaved(words, version, level)), version)


def _format(dark: list[list[bool]]) -> list[bool]:
    row = [dark[8][c] for c in (0, 1, 2, 3, 4, 5, 7, 8)]
    return row + [dark[r][8] for r in (7, 5, 4, 3, 2, 1, 0)]


def _fixed(side: int, version: int) -> set[tuple[int, int]]:
    """Return the modules that hold no data: finders with formats, timing, alignment, version."""
    last = side - 8
    found = {(r, c) for r in range(9) for c in range(9)}
    found |= {(r, c) for r in range(9) for c in range(last, side)} | {
        (c, r) for r in range(9) for c in range(last, side)
    }
    found |= {(6, n) for n in range(side)} | {(n, 6) for n in range(side)}
    centres = consts.ALIGNMENT_POS[version - 2] if version > 1 else ()
    corners = {(6, 6), (6, side - 7), (side - 7, 6)}
    for middle in ((r, c) for r in centres for c in centres if (r, c) not in corners):
        found |= {(middle[0] + r, middle[1] + c) for r in range(-2, 3) for c in range(-2, 3)}
    if version > 6:
        found |= {(r, c) for r in range(6) for c in range(side - 11, side - 8)}
        found |= {(c, r) for r in range(6) for c in range(side - 11, side - 8)}
    return found


def _zigzag(side: int) -> Iterator[tuple[int, int]]:
    upwards = True
    for right in [*range(side - 1, 6, -2), *range(5, 0, -2)]:
        for r in range(side - 1, -1, -1) if upwards else range(side):
            yield r, right
            yield r, right - 1
        upwards = not upwards


def _deinterleaved(words: list[int], version: int, level: int) -> list[int]:
    sizes = [each.num_data for each in consts.ECC[version][level] for _ in range(each.num_blocks)]
    blocks: list[list[int]] = [[] for _ in sizes]
    fresh = iter(words)
    for n in range(max(sizes)):
        for block, size in zip(blocks, sizes, strict=True):
            if n < size:
                block.append(next(fresh))
    return [word for block in blocks for word in block]


def _text(bits: str, version: int) -> str:
    at, text = 0, ""

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    widths = {_ALPHANUMERIC: (9, 11, 13), _BYTES: (8, 16, 16)}
    size = 0 if version < 10 else 1 if version < 27 else 2
    while len(bits) - at >= 4 and (mode := take(4)) != _END:
        count = take(widths[mode][size])
        if mode == _BYTES:
            text += bytes(take(8) for _ in range(count)).decode()
            continue
        for _ in range(count // 2):
            text += "".join(_SIGNS[each] for each in divmod(take(11), 45))
        text += _SIGNS[take(6)] if count % 2 else ""
    return text
