"""The XML members of the package (GB/T 33190), written as text: every value goes through one of two escapes.

A tree of elements, built and serialised, gives the same bytes and takes four times as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from xml.sax.saxutils import escape

from services.certs.domain.licence import Licence
from services.certs.domain.ofd.layout import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Frame, Page, Text

NAMESPACE = "http://www.ofdspec.org/2016"
FONT_NAME = "Tongban Hei"
FONT_FILE = "font_1.ttf"
FONT_ID, PAGE_ID, LAYER_ID, FIRST_OBJECT_ID = 1, 2, 3, 10
ATTACHMENT_FILE = "licence.json"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_OPEN = f'xmlns:ofd="{NAMESPACE}"'
_FORBIDDEN = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 does not allow, and line breaks, which a one-line value does not have."""
_QUOTED = {'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#09;"}
BASELINE = 0.88
"""Where the baseline lies below the top of the em box."""
_LINE = 1.3
_BOX = f"0 0 {PAGE_WIDTH_MM:g} {PAGE_HEIGHT_MM:g}"


def root_xml(licence: Licence, record: Mapping[str, str]) -> bytes:
    """Return ``OFD.xml``: who made the document, and the metadata record in ``CustomDatas``."""
    datas = "".join(
        _element("CustomData", value, f' Name="{_value(name)}"') for name, value in record.items()
    )
    info = (
        _element("DocID", licence.licence_id.replace("-", ""))
        + _element("Title", licence.type_name)
        + _element("Author", licence.issuer_name)
        + _element("CreationDate", licence.issued_date.isoformat())
        + "<ofd:Creator>Tongban</ofd:Creator><ofd:CreatorVersion>1.0</ofd:CreatorVersion>"
        + (f"<ofd:CustomDatas>{datas}</ofd:CustomDatas>" if datas else "<ofd:CustomDatas />")
    )
    return (
        f'{_HEAD}<ofd:OFD {_OPEN} Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo>{info}</ofd:DocInfo>'
        "<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>"
    ).encode()


def document_xml(last_id: int) -> bytes:
    """Return ``Document.xml``: page size, resources, the one page, the attachment list."""
    return (
        f"{_HEAD}<ofd:Document {_OPEN}><ofd:CommonData><ofd:MaxUnitID>{last_id}</ofd:MaxUnitID>"
        f"<ofd:PageArea><ofd:PhysicalBox>{_BOX}</ofd:PhysicalBox></ofd:PageArea>"
        "<ofd:PublicRes>PublicRes.xml</ofd:PublicRes></ofd:CommonData>"
        f'<ofd:Pages><ofd:Page ID="{PAGE_ID}" BaseLoc="Pages/Page_0/Content.xml" /></ofd:Pages>'
        "<ofd:Attachments>Attachs/Attachments.xml</ofd:Attachments></ofd:Document>"
    ).encode()


def resources_xml() -> bytes:
    """Return ``PublicRes.xml``: the embedded subset font."""
    return (
        f'{_HEAD}<ofd:Res {_OPEN} BaseLoc="Res"><ofd:Fonts>'
        f'<ofd:Font ID="{FONT_ID}" FontName="{FONT_NAME}" FamilyName="{FONT_NAME}">'
        f"<ofd:FontFile>{FONT_FILE}</ofd:FontFile></ofd:Font></ofd:Fonts></ofd:Res>"
    ).encode()


def attachments_xml(licence: Licence, size_bytes: int) -> bytes:
    """Return ``Attachments.xml``: the metadata as JSON, for readers that know no CustomDatas. Size in KB."""
    return (
        f'{_HEAD}<ofd:Attachments {_OPEN}><ofd:Attachment ID="1" Name="licence" Format="json" '
        f'CreationDate="{licence.issued_date.isoformat()}" Size="{size_bytes / 1024:.3f}" Visible="true">'
        f"<ofd:FileLoc>{ATTACHMENT_FILE}</ofd:FileLoc></ofd:Attachment></ofd:Attachments>"
    ).encode()


def page_xml(page: Page) -> tuple[bytes, int]:
    """Return ``Content.xml`` and the last object id it uses."""
    objects = [_frame(number, frame) for number, frame in enumerate(page.frames, FIRST_OBJECT_ID)]
    first_text = FIRST_OBJECT_ID + len(objects)
    objects += [_text(number, text) for number, text in enumerate(page.texts, first_text)]
    layer = f'<ofd:Layer ID="{LAYER_ID}" Type="Body"'
    content = (
        f"{_HEAD}<ofd:Page {_OPEN}><ofd:Area><ofd:PhysicalBox>{_BOX}</ofd:PhysicalBox></ofd:Area><ofd:Content>"
        + (f"{layer}>{''.join(objects)}</ofd:Layer>" if objects else f"{layer} />")
        + "</ofd:Content></ofd:Page>"
    )
    return content.encode(), FIRST_OBJECT_ID + max(len(objects) - 1, 0)


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


def _frame(object_id: int, frame: Frame) -> str:
    inset = frame.line_mm / 2
    right, bottom = frame.width - inset, frame.height - inset
    return (
        f'<ofd:PathObject ID="{object_id}" Boundary="{frame.x:g} {frame.y:g} {frame.width:g} {frame.height:g}" '
        f'LineWidth="{frame.line_mm:g}"><ofd:StrokeColor Value="176 24 24" /><ofd:AbbreviatedData>'
        f"M {inset:g} {inset:g} L {right:g} {inset:g} L {right:g} {bottom:g} L {inset:g} {bottom:g} C"
        "</ofd:AbbreviatedData></ofd:PathObject>"
    )


def _text(object_id: int, text: Text) -> str:
    return f'<ofd:TextObject ID="{object_id}"{_written_once(text) if text.is_fixed else _written(text)}'


def _written(text: Text) -> str:
    """Return a text object without its number, which alone differs where the text is the same."""
    steps = text.steps
    delta = f' DeltaX="{delta_x(steps)}"' if len(steps) > 1 else ""
    place = f' X="0" Y="{text.size * BASELINE:.3f}"{delta}'
    return (
        f' Boundary="{text.x:.3f} {text.y:.3f} '
        f'{sum(steps) + text.size * 0.2:.3f} {text.size * _LINE:.3f}" Font="{FONT_ID}" Size="{text.size:.3f}">'
        f'<ofd:FillColor Value="{text.colour}" />'
        f"{_element('TextCode', text.content, place)}</ofd:TextObject>"
    )


_written_once = lru_cache(maxsize=4096)(_written)


def _element(name: str, text: str, attributes: str = "") -> str:
    """Return an element with its text, escaped here, and its attributes, which the caller escaped."""
    content = escape(_FORBIDDEN.sub(" ", text))
    return f"<ofd:{name}{attributes}>{content}</ofd:{name}>" if content else f"<ofd:{name}{attributes} />"


@lru_cache(maxsize=4096)  # the short names of face fields
def _value(text: str) -> str:
    """Return the text as it stands between the quotes of an attribute."""
    return escape(text, _QUOTED)
