"""Remake ``tongban-hei.ttf`` from the WenQuanYi Micro Hei collection: ``python -m chassis.fonts.make_font TTC``.

Takes face 0 and keeps the unified Han characters U+4E00–U+9FC3 (GB 2312 levels 1 and 2, and the rarer ones that
names of people and places use), ASCII, Latin-1 and Chinese punctuation; drops hinting and layout tables.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fontTools import subset, ttLib

from chassis.fonts import FONT_DATE, FONT_FILE

_subset: Any = subset  # fontTools is untyped
_ttlib: Any = ttLib
_RANGES = (
    (0x20, 0x7E),
    (0xA0, 0xFF),
    (0x2010, 0x2027),
    (0x2030, 0x203B),
    (0x2100, 0x2122),
    (0x2160, 0x217B),
    (0x2190, 0x2193),
    (0x2460, 0x249B),
    (0x25A0, 0x25CF),
    (0x2605, 0x2606),
    (0x3000, 0x301F),
    (0x3220, 0x3229),
    (0x4E00, 0x9FC3),
    (0xFF01, 0xFF5E),
    (0xFFE0, 0xFFE6),
)


def repertoire() -> set[int]:
    """Return the code points the repository's font covers."""
    return {code for first, last in _RANGES for code in range(first, last + 1)}


def make(collection: Path, target: Path) -> int:
    """Write the reduced font to `target` and return its size in bytes; the same input gives the same bytes."""
    font = _ttlib.TTCollection(str(collection)).fonts[0]
    options = _subset.Options(
        hinting=False, layout_features=[], notdef_outline=True, glyph_names=False, name_IDs=[0, 1, 2, 4, 5, 6, 13, 14],
        name_languages=[0x409, 0x804], drop_tables=["GPOS", "GSUB", "GDEF", "FFTM", "vhea", "vmtx", "gasp"],
        recalc_timestamp=False,
    )  # fmt: skip
    subsetter = _subset.Subsetter(options)
    subsetter.populate(unicodes=sorted(repertoire()))
    subsetter.subset(font)
    font.flavor = None
    font["head"].created = font["head"].modified = FONT_DATE
    font.recalcTimestamp = False
    font.save(str(target), reorderTables=True)
    return target.stat().st_size


if __name__ == "__main__":
    sys.stdout.write(f"{make(Path(sys.argv[1]), Path(__file__).with_name(FONT_FILE))} bytes\n")
