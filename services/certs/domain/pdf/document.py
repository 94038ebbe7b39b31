"""The PDF file: one page, one font, the metadata record in XMP; no time, no random id."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import pikepdf
from pikepdf.canvas import ContentStreamBuilder

from services.certs.domain.ofd.layout import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Frame, Page, Text
from services.certs.domain.ofd.markup import BASELINE
from services.certs.domain.pdf.font import Glyphs, embed, read_glyphs
from services.certs.domain.pdf.reading import read_layout

_pdf: Any = pikepdf
_POINTS_PER_MM = 72 / 25.4
_PLACES = 4
_FONT = "/F1"
_FRAME_COLOUR = tuple(round(each / 255, _PLACES) for each in (176, 24, 24))
RECORD_NAMESPACE, _RECORD_PREFIX = "urn:tongban:gbt36903#", "gbt36903"
SHOWN = ("ZZMC", "ZZLXDM", "ZZBS", "ZZBFJG", "ZZBFJGDM", "ZZBFRQ")
"""What of the record readers list as properties of the file; the whole record, with the holder, is in the XMP."""
_XML_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_Metadata: Any = pikepdf.models.PdfMetadata
_Pen: Any = ContentStreamBuilder


def pdf_of(ofd: bytes, original_sha256: str) -> bytes:
    """Return the unsealed PDF of a licence from its unsealed OFD; it names the sealed one as its source.

    The digest is hex. Raises PDF_NOT_RENDERABLE for what is no document of ours.
    """
    own = read_layout(ofd)
    glyphs = read_glyphs(own.font)
    document = _pdf.new()
    page = document.add_blank_page(page_size=(_points(PAGE_WIDTH_MM), _points(PAGE_HEIGHT_MM)))
    page.Resources = _pdf.Dictionary(Font=_pdf.Dictionary({_FONT: embed(document, glyphs)}))
    page.Contents = document.make_stream(_drawn(own.page, glyphs))
    document.Root.Lang = "zh-CN"
    document.Root.ViewerPreferences = _pdf.Dictionary(DisplayDocTitle=True)
    _describe(document, own.record, original_sha256)
    target = io.BytesIO()
    document.save(
        target,
        min_version="1.7",
        deterministic_id=True,
        compress_streams=True,
        object_stream_mode=_pdf.ObjectStreamMode.disable,
        fix_metadata_version=False,
    )
    return target.getvalue()


def _drawn(page: Page, glyphs: Glyphs) -> bytes:
    """Return the page's content; it is drawn in millimetres."""
    pen = _Pen()
    pen.push().cm(_pdf.Matrix().scaled(_POINTS_PER_MM, _POINTS_PER_MM))
    for frame in page.frames:
        _draw_frame(pen, frame)
    for text in page.texts:
        _draw_text(pen, text, glyphs)
    return bytes(pen.pop().build())


def _draw_frame(pen: Any, frame: Frame) -> None:
    inset = frame.line_mm / 2
    left, bottom = frame.x + inset, PAGE_HEIGHT_MM - frame.y - frame.height + inset
    width, height = frame.width - 2 * inset, frame.height - 2 * inset
    pen.set_stroke_color(*_FRAME_COLOUR).set_line_width(frame.line_mm)
    pen.append_rectangle(*map(_rounded, (left, bottom, width, height))).stroke_and_close()


def _draw_text(pen: Any, text: Text, glyphs: Glyphs) -> None:
    baseline = PAGE_HEIGHT_MM - text.y - text.size * BASELINE
    pen.begin_text().set_fill_color(*(_rounded(int(part) / 255) for part in text.colour.split()))
    pen.set_text_font(_pdf.Name(_FONT), _rounded(text.size))
    pen.set_text_matrix(_pdf.Matrix().translated(_rounded(text.x), _rounded(baseline)))
    pen.show_text(glyphs.codes(text.content)).end_text()


def _describe(document: Any, record: Mapping[str, str], original_sha256: str) -> None:
    document.docinfo["/Title"] = record.get("ZZMC", "")
    document.docinfo["/Author"] = record.get("ZZBFJG", "")
    document.docinfo["/Creator"] = "Tongban"
    for name in SHOWN:
        if name in record:
            document.docinfo[f"/{name}"] = record[name]
    _Metadata.register_xml_namespace(RECORD_NAMESPACE, _RECORD_PREFIX)
    with document.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as xmp:
        xmp["dc:title"] = record.get("ZZMC", "")
        xmp["dc:creator"] = [record.get("ZZBFJG", "")]
        xmp["dc:identifier"] = record.get("ZZBS", "")
        xmp["dc:source"] = f"urn:sha256:{original_sha256}"
        for name, value in record.items():
            if _XML_NAME.fullmatch(name):
                xmp[f"{{{RECORD_NAMESPACE}}}{name}"] = value


def _points(millimetres: float) -> float:
    return _rounded(millimetres * _POINTS_PER_MM)


def _rounded(value: float) -> float:
    return round(value, _PLACES)
