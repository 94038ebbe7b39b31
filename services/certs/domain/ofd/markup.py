"""The XML members of the package (GB/T 33190), each written once and never parsed again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from services.certs.domain.licence import Licence
from services.certs.domain.ofd.layout import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Frame, Page, Text

NAMESPACE = "http://www.ofdspec.org/2016"
FONT_NAME = "Tongban Hei"
FONT_FILE = "font_1.ttf"
FONT_ID, PAGE_ID, LAYER_ID, FIRST_OBJECT_ID = 1, 2, 3, 10
ATTACHMENT_FILE = "licence.json"
_FORBIDDEN = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 does not allow, and line breaks, which a one-line value does not have."""
_BASELINE = 0.88
"""Where the baseline lies below the top of the em box."""
_LINE = 1.3
_BOX = f"0 0 {PAGE_WIDTH_MM:g} {PAGE_HEIGHT_MM:g}"

ET.register_namespace("ofd", NAMESPACE)


def root_xml(licence: Licence, record: Mapping[str, str]) -> bytes:
    """Return ``OFD.xml``: who made the document, and the metadata record in ``CustomDatas``."""
    root = _element("OFD", Version="1.0", DocType="OFD")
    body = _child(root, "DocBody")
    info = _child(body, "DocInfo")
    _child(info, "DocID", text=licence.licence_id.replace("-", ""))
    _child(info, "Title", text=licence.type_name)
    _child(info, "Author", text=licence.issuer_name)
    _child(info, "CreationDate", text=licence.issued_date.isoformat())
    _child(info, "Creator", text="Tongban")
    _child(info, "CreatorVersion", text="1.0")
    data = _child(info, "CustomDatas")
    for name, value in record.items():
        _child(data, "CustomData", text=value, Name=name)
    _child(body, "DocRoot", text="Doc_0/Document.xml")
    return _bytes(root)


def document_xml(last_id: int) -> bytes:
    """Return ``Document.xml``: page size, resources, the one page, the attachment list."""
    root = _element("Document")
    common = _child(root, "CommonData")
    _child(common, "MaxUnitID", text=str(last_id))
    _child(_child(common, "PageArea"), "PhysicalBox", text=_BOX)
    _child(common, "PublicRes", text="PublicRes.xml")
    _child(_child(root, "Pages"), "Page", ID=str(PAGE_ID), BaseLoc="Pages/Page_0/Content.xml")
    _child(root, "Attachments", text="Attachs/Attachments.xml")
    return _bytes(root)


def resources_xml() -> bytes:
    """Return ``PublicRes.xml``: the embedded subset font."""
    root = _element("Res", BaseLoc="Res")
    fonts = _child(root, "Fonts")
    font = _child(fonts, "Font", ID=str(FONT_ID), FontName=FONT_NAME, FamilyName=FONT_NAME)
    _child(font, "FontFile", text=FONT_FILE)
    return _bytes(root)


def attachments_xml(licence: Licence, size_bytes: int) -> bytes:
    """Return ``Attachments.xml``: the metadata as JSON, for readers that know no CustomDatas. Size in KB."""
    root = _element("Attachments")
    entry = _child(
        root,
        "Attachment",
        ID="1",
        Name="licence",
        Format="json",
        CreationDate=licence.issued_date.isoformat(),
        Size=f"{size_bytes / 1024:.3f}",
        Visible="true",
    )
    _child(entry, "FileLoc", text=ATTACHMENT_FILE)
    return _bytes(root)


def page_xml(page: Page) -> tuple[bytes, int]:
    """Return ``Content.xml`` and the last object id it uses."""
    root = _element("Page")
    _child(_child(root, "Area"), "PhysicalBox", text=_BOX)
    layer = _child(_child(root, "Content"), "Layer", ID=str(LAYER_ID), Type="Body")
    last_id = FIRST_OBJECT_ID
    for last_id, frame in enumerate(page.frames, FIRST_OBJECT_ID):
        _frame(layer, last_id, frame)
    for last_id, text in enumerate(page.texts, last_id + 1):  # noqa: B020 - numbering goes on
        _text(layer, last_id, text)
    return _bytes(root), last_id


def delta_x(steps: Sequence[float]) -> str:
    """Return the DeltaX of n characters: n − 1 advances, runs of three and more as ``g count value``."""
    return " ".join(_runs(steps[:-1]))


def _runs(steps: Sequence[float]) -> Iterator[str]:
    for value, group in groupby(steps):
        count = len(list(group))
        if count > 2:
            yield f"g {count} {value:g}"
        else:
            yield from [f"{value:g}"] * count


def _frame(layer: ET.Element, object_id: int, frame: Frame) -> None:
    boundary = f"{frame.x:g} {frame.y:g} {frame.width:g} {frame.height:g}"
    path = _child(layer, "PathObject", ID=str(object_id), Boundary=boundary, LineWidth=f"{frame.line_mm:g}")
    _child(path, "StrokeColor", Value="176 24 24")
    inset = frame.line_mm / 2
    right, bottom = frame.width - inset, frame.height - inset
    corners = f"M {inset:g} {inset:g} L {right:g} {inset:g} L {right:g} {bottom:g} L {inset:g} {bottom:g} C"
    _child(path, "AbbreviatedData", text=corners)


def _text(layer: ET.Element, object_id: int, text: Text) -> None:
    steps = text.steps
    boundary = f"{text.x:.3f} {text.y:.3f} {sum(steps) + text.size * 0.2:.3f} {text.size * _LINE:.3f}"
    attributes = {
        "ID": str(object_id),
        "Boundary": boundary,
        "Font": str(FONT_ID),
        "Size": f"{text.size:.3f}",
    }
    item = _child(layer, "TextObject", **attributes)
    _child(item, "FillColor", Value=text.colour)
    place = {"X": "0", "Y": f"{text.size * _BASELINE:.3f}"}
    if len(steps) > 1:
        place["DeltaX"] = delta_x(steps)
    _child(item, "TextCode", text=text.content, **place)


def _element(name: str, **attributes: str) -> ET.Element:
    return ET.Element(f"{{{NAMESPACE}}}{name}", attributes)


def _child(parent: ET.Element, name: str, *, text: str = "", **attributes: str) -> ET.Element:
    found = ET.SubElement(parent, f"{{{NAMESPACE}}}{name}", attributes)
    found.text = _FORBIDDEN.sub(" ", text) or None
    return found


def _bytes(root: ET.Element) -> bytes:
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
