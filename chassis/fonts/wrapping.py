"""The two parts of a font file that look things up: the character map, and the directory of the tables."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from fontTools.ttLib import getSearchRange
from fontTools.ttLib.tables._c_m_a_p import cmap_format_4

_cmap: Any = cmap_format_4  # fontTools is untyped
_search_range: Any = getSearchRange

ORDER = ("head", "hhea", "maxp", "OS/2", "hmtx", "cmap", "loca", "glyf", "name", "post")
_CHECKSUM_MAGIC = 0xB1B0AFBA


def cmap_table(codes: Mapping[int, int], places: Mapping[int, int]) -> bytes:
    """Return the character map of ascending codes: one table of format 4 for both Unicode platforms."""
    return struct.pack(">2H2HL2HL", 0, 2, 0, 3, 20, 3, 1, 20) + _format_4(codes, places)


def _format_4(codes: Mapping[int, int], places: Mapping[int, int]) -> bytes:
    starts: list[int] = []
    ends: list[int] = []
    deltas: list[int] = []
    for code, glyph_id in codes.items():
        delta = (places[glyph_id] - code) & 0xFFFF
        if not ends or code != ends[-1] + 1:
            starts.append(code)
            ends.append(code)
            deltas.append(delta)
        elif delta == deltas[-1]:
            ends[-1] = code
        else:  # two characters of one glyph side by side
            return _format_4_of_any(codes, places)
    count = len(ends) + 1
    words = [*ends, 0xFFFF, 0, *starts, 0xFFFF, *deltas, 1, *[0] * count]
    head = struct.pack(">7H", 4, 14 + 2 * len(words), 0, 2 * count, *_search_range(count, 2))
    return head + struct.pack(f">{len(words)}H", *words)


class _Places:
    """What fontTools asks of a font while it writes the character map: the place of each glyph."""

    def __init__(self, places: Mapping[int, int]) -> None:
        self._places = places

    def getReverseGlyphMap(self) -> Mapping[int, int]:  # noqa: N802 - fontTools' name
        return self._places


def _format_4_of_any(codes: Mapping[int, int], places: Mapping[int, int]) -> bytes:
    subtable = _cmap(4)
    subtable.language, subtable.cmap = 0, codes
    compiled: bytes = subtable.compile(_Places(places))
    return compiled


def font_file(tables: Mapping[str, bytes]) -> bytes:
    """Return the font of these tables, `ORDER` its order, its checksums entered."""
    offset = 12 + 16 * len(ORDER)
    body: list[bytes] = []
    entries: list[bytes] = []
    for tag in ORDER:
        data = tables[tag]
        if tag == "head":
            data = data[:8] + bytes(4) + data[12:]
        padded = data + bytes(-len(data) % 4)
        entries.append(struct.pack(">4s3L", tag.encode(), _checksum(padded), offset, len(data)))
        body.append(padded)
        offset += len(padded)
    directory = struct.pack(">L4H", 0x00010000, len(ORDER), *_search_range(len(ORDER), 16))
    directory += b"".join(sorted(entries))
    sums = sum(struct.unpack_from(">L", entry, 4)[0] for entry in entries)
    adjustment = (_CHECKSUM_MAGIC - sums - _checksum(directory)) & 0xFFFFFFFF
    first = body[0]
    body[0] = first[:8] + struct.pack(">L", adjustment) + first[12:]
    return directory + b"".join(body)


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 4}L", data))
    return total & 0xFFFFFFFF
