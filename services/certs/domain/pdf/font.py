"""The embedded font as PDF wants it: a composite font whose codes are the glyph numbers of the subset."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pikepdf
import uharfbuzz

from services.certs.domain.pdf.reading import PDF_NOT_RENDERABLE

_pdf: Any = pikepdf
_harfbuzz: Any = uharfbuzz  # untyped
_EM = 1000
"""Glyph space of PDF: thousandths of an em."""
_NAME = "TongbanHei"
_SYMBOLIC = 4
_STEM = 80
"""Readers want a stem width and use it only where a font is not embedded."""
_AT_ONCE = 100
"""Entries that one block of a CMap may have."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """A subset font: glyph numbers by character, widths in thousandths of an em by glyph number."""

    program: bytes = field(repr=False)
    numbers: Mapping[str, int]
    widths: tuple[float, ...]
    ascent: int
    descent: int

    def codes(self, text: str) -> bytes:
        """Return a text as the font's codes, two bytes each. Raises PDF_NOT_RENDERABLE."""
        try:
            return b"".join([self.numbers[char].to_bytes(2, "big") for char in text])
        except KeyError:
            raise PDF_NOT_RENDERABLE() from None


def read_glyphs(program: bytes) -> Glyphs:
    """Return what a TrueType file has."""
    face = _harfbuzz.Face(_harfbuzz.Blob(program))
    font, scale = _harfbuzz.Font(face), _EM / face.upem
    extents = font.get_font_extents("ltr")
    return Glyphs(
        program,
        {chr(code): font.get_nominal_glyph(code) for code in face.unicodes},
        tuple(round(font.get_glyph_h_advance(each) * scale, 3) for each in range(face.glyph_count)),
        round(extents.ascender * scale),
        round(extents.descender * scale),
    )


def embed(document: Any, glyphs: Glyphs) -> Any:
    """Return the font's object in a document."""
    name = _pdf.Name(f"/{_tag(glyphs.program)}+{_NAME}")
    program = document.make_stream(glyphs.program, Length1=len(glyphs.program))
    descriptor = _pdf.Dictionary(
        Type=_pdf.Name.FontDescriptor,
        FontName=name,
        Flags=_SYMBOLIC,
        FontBBox=[0, glyphs.descent, _EM, glyphs.ascent],
        ItalicAngle=0,
        Ascent=glyphs.ascent,
        Descent=glyphs.descent,
        CapHeight=glyphs.ascent,
        StemV=_STEM,
        FontFile2=program,
    )
    descendant = _pdf.Dictionary(
        Type=_pdf.Name.Font,
        Subtype=_pdf.Name.CIDFontType2,
        BaseFont=name,
        CIDSystemInfo=_pdf.Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
        FontDescriptor=document.make_indirect(descriptor),
        DW=_EM,
        W=[0, list(map(_number, glyphs.widths))],
        CIDToGIDMap=_pdf.Name.Identity,
    )
    composite = _pdf.Dictionary(
        Type=_pdf.Name.Font,
        Subtype=_pdf.Name.Type0,
        BaseFont=name,
        Encoding=_pdf.Name("/Identity-H"),
        DescendantFonts=[document.make_indirect(descendant)],
        ToUnicode=document.make_stream(_to_unicode(glyphs.numbers)),
    )
    return document.make_indirect(composite)


def _tag(program: bytes) -> str:
    """Return the six capitals that tell subsets of a font apart (ISO 32000-1, 9.6.4), from its content."""
    digest = hashlib.sha256(program).digest()
    return "".join(string.ascii_uppercase[each % 26] for each in digest[:6])


def _number(value: float) -> float | int:
    return int(value) if value.is_integer() else value


def _to_unicode(numbers: Mapping[str, int]) -> bytes:
    """Return the map by which readers copy and search text (ISO 32000-1, 9.10.3)."""
    lines = [f"<{number:04X}> <{char.encode('utf-16-be').hex().upper()}>" for char, number in numbers.items()]
    blocks = [sorted(lines)[at : at + _AT_ONCE] for at in range(0, len(lines), _AT_ONCE)]
    mapped = "".join(f"{len(each)} beginbfchar\n" + "\n".join(each) + "\nendbfchar\n" for each in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        f"{mapped}endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode()
