"""The XML that a sealing adds: the location in OFD.xml, Signatures.xml and Signature.xml, each serialised once."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import quoteattr

from services.seal.domain.ofd.markup import NAMESPACE, XmlError, etree, require, resolve, root_of, text
from services.seal.domain.ofd.package import Package
from services.seal.domain.ofd.signature_file import Stamp
from services.seal.domain.suite import Suite

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SIGNATURE_ID = 1


@dataclass(frozen=True, slots=True)
class Located:
    """Where the first signature of a document goes, and the OFD.xml that says so."""

    root_xml: bytes
    list_path: str
    signature_path: str
    seal_path: str
    value_path: str


def locate_signatures(package: Package) -> Located:
    """Return the places for a first signature beside the document's root file.

    Raises:
        XmlError: Something lies there already.
    """
    root = root_of(package["OFD.xml"], "OFD")
    body = require(root, "DocBody")
    document, _ = resolve(package, text(require(body, "DocRoot")), "")
    signs = posixpath.join(posixpath.dirname(document), "Signs")
    if any(name == signs or name.startswith(f"{signs}/") for name in package.names):
        raise XmlError("the place of the signatures is taken")
    namespace = etree.QName(body).namespace
    location = etree.SubElement(body, f"{{{namespace}}}Signatures")
    location.text = f"/{signs}/Signatures.xml"
    return Located(
        root_xml=etree.tostring(root, xml_declaration=True, encoding="UTF-8"),
        list_path=f"{signs}/Signatures.xml",
        signature_path=f"{signs}/Sign_0/Signature.xml",
        seal_path=f"{signs}/Sign_0/Seal.esl",
        value_path=f"{signs}/Sign_0/SignedValue.dat",
    )


def signature_list(located: Located, stamp_count: int) -> bytes:
    """Return Signatures.xml with the one entry; MaxSignId counts the stamps' ids too."""
    return (
        f'{_HEAD}<ofd:Signatures xmlns:ofd="{NAMESPACE}">'
        f"<ofd:MaxSignId>{_SIGNATURE_ID + stamp_count}</ofd:MaxSignId>"
        f'<ofd:Signature ID="{_SIGNATURE_ID}" Type="Seal" BaseLoc={quoteattr("/" + located.signature_path)}/>'
        "</ofd:Signatures>"
    ).encode()


def signature_xml(
    suite: Suite,
    signed_at: datetime,
    references: Sequence[tuple[str, str]],
    stamps: Sequence[Stamp],
    located: Located,
) -> bytes:
    """Return Signature.xml; its bytes are what dataHash digests."""
    files = "".join(
        f"<ofd:Reference FileRef={quoteattr(path)}><ofd:CheckValue>{value}</ofd:CheckValue></ofd:Reference>"
        for path, value in references
    )
    marks = "".join(
        f'<ofd:StampAnnot ID="{number}" PageRef={quoteattr(stamp.page_id)} Boundary="{_box(stamp.box_mm)}"'
        + (f' Clip="{_box(stamp.clip_mm)}"/>' if stamp.clip_mm else "/>")
        for number, stamp in enumerate(stamps, _SIGNATURE_ID + 1)
    )
    return (
        f'{_HEAD}<ofd:Signature xmlns:ofd="{NAMESPACE}"><ofd:SignedInfo>'
        '<ofd:Provider ProviderName="tongban-seal" Company="tongban" Version="1.0"/>'
        f"<ofd:SignatureMethod>{suite.signature_oid}</ofd:SignatureMethod>"
        f"<ofd:SignatureDateTime>{signed_at.astimezone(UTC):%Y%m%d%H%M%S}.000Z</ofd:SignatureDateTime>"
        f'<ofd:References CheckMethod="{suite.digest_oid}">{files}</ofd:References>{marks}'
        f"<ofd:Seal><ofd:BaseLoc>{_location(located.seal_path)}</ofd:BaseLoc></ofd:Seal></ofd:SignedInfo>"
        f"<ofd:SignedValue>{_location(located.value_path)}</ofd:SignedValue></ofd:Signature>"
    ).encode()


def _location(path: str) -> str:
    return "/" + path.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _box(box: tuple[float, float, float, float]) -> str:
    return " ".join(f"{value:.4f}".rstrip("0").rstrip(".") for value in box)
