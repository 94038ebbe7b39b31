"""What stands in an OFD that we wrote ourselves: its page, its metadata record, its font."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from chassis.errors import Kind, declare
from services.certs.domain.ofd.layout import Frame, Page, Text
from services.certs.domain.ofd.markup import ATTACHMENT_FILE, FONT_FILE, NAMESPACE

PDF_NOT_RENDERABLE = declare(
    "PDF_NOT_RENDERABLE",
    Kind.FAILED_PRECONDITION,
    "该证照的版式文件无法转换为 PDF",
    "The document of this licence cannot be rendered as PDF",
)
_MEMBER_LIMIT_BYTES = 4 * 1024 * 1024
_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_NS = {"ofd": NAMESPACE}
_UNREADABLE = (zipfile.BadZipFile, ET.ParseError, KeyError, ValueError, TypeError, AttributeError, OSError)


@dataclass(frozen=True, slots=True)
class OwnDocument:
    """A document of ours, read back: lengths in millimetres, the record by short name (GB/T 36903)."""

    page: Page
    record: Mapping[str, str] = field(repr=False)
    font: bytes = field(repr=False)
    """The embedded subset, a TrueType file."""


def read_layout(ofd: bytes) -> OwnDocument:
    """Return what an OFD of ours shows and says. Raises PDF_NOT_RENDERABLE for any other bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(ofd)) as package:
            content = _member(package, "Doc_0/Pages/Page_0/Content.xml")
            record = json.loads(_member(package, f"Doc_0/Attachs/{ATTACHMENT_FILE}"))
            font = _member(package, f"Doc_0/Res/{FONT_FILE}")
        return OwnDocument(_page(content), {str(name): str(value) for name, value in record.items()}, font)
    except _UNREADABLE:
        raise PDF_NOT_RENDERABLE() from None


def _member(package: zipfile.ZipFile, name: str) -> bytes:
    entry = package.getinfo(name)
    if entry.file_size > _MEMBER_LIMIT_BYTES:
        raise ValueError(name)
    return package.read(entry)


def _page(content: bytes) -> Page:
    if _DECLARATION.search(content):
        raise ValueError(content[:40])
    root = ET.fromstring(content)  # noqa: S314 - no DTD, so there is no entity to expand
    return Page(tuple(_frames(root)), tuple(_texts(root)))


def _frames(root: ET.Element) -> Iterator[Frame]:
    for each in root.iterfind(".//ofd:PathObject", _NS):
        yield Frame(*_box(each), float(each.attrib["LineWidth"]))


def _texts(root: ET.Element) -> Iterator[Text]:
    for each in root.iterfind(".//ofd:TextObject", _NS):
        x, y, *_ = _box(each)
        colour, code = each.find("ofd:FillColor", _NS), each.find("ofd:TextCode", _NS)
        if colour is None or code is None:
            raise ValueError(each.tag)
        yield Text(x, y, float(each.attrib["Size"]), code.text or "", colour.attrib["Value"])


def _box(element: ET.Element) -> tuple[float, float, float, float]:
    x, y, width, height = map(float, element.attrib["Boundary"].split())
    return x, y, width, height
