"""The licence package as trees and `zipfile` write it: slow, plain, and what the fast writer is held to."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from chassis.fonts import subset
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.metadata import record_of
from services.certs.domain.ofd.layout import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Frame, Page, Text, lay_out

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

_EPOCH = (1980, 1, 1, 0, 0, 0)
_STORED = (".ttf",)
"""Fonts are stored, XML is deflated: what does not shrink is not packed twice."""

ET.register_namespace("ofd", NAMESPACE)


def plainly_rendered(licence: Licence, kind: LicenceType) -> bytes:
    """Return the unsealed document of a licence."""
    record = record_of(licence)
    page = lay_out(licence, kind)
    content, last_id = page_xml(page)
    attachment = json.dumps(record, ensure_ascii=False, sort_keys=True, indent=1).encode()
    members = {
        "OFD.xml": root_xml(licence, record),
        "Doc_0/Document.xml": document_xml(last_id),
        "Doc_0/PublicRes.xml": resources_xml(),
        f"Doc_0/Res/{FONT_FILE}": subset(page.characters),
        "Doc_0/Pages/Page_0/Content.xml": content,
        "Doc_0/Attachs/Attachments.xml": attachments_xml(licence, len(attachment)),
        f"Doc_0/Attachs/{ATTACHMENT_FILE}": attachment,
    }
    return _zip(members)


def _zip(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as package:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 0
            entry.external_attr = 0
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(_STORED) else zipfile.ZIP_DEFLATED
            package.writestr(entry, content, compresslevel=9 if entry.compress_type else None)
    return target.getvalue()


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
