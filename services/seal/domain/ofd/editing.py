"""The XML that a sealing adds: the location in OFD.xml, Signatures.xml and Signature.xml, each serialised once."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import quoteattr

from services.seal.domain.ofd.layout import DocumentView
from services.seal.domain.ofd.markup import NAMESPACE, XmlError, etree, find, require, resolve, root_of, text
from services.seal.domain.ofd.package import Package
from services.seal.domain.ofd.signature_file import SignatureFile, Stamp
from services.seal.domain.suite import Suite

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NUMBER = re.compile(r"[0-9]{1,9}$")  # ids are opaque text to others: 1, 001, s001


@dataclass(frozen=True, slots=True)
class Located:
    """Where one more signature goes, its id, and the files that change with it: the list, for the first OFD.xml."""

    changed: dict[str, bytes]
    signature_id: int
    list_path: str
    signature_path: str
    seal_path: str
    value_path: str


def locate_signatures(
    package: Package, view: DocumentView, carried: Sequence[SignatureFile], stamp_count: int
) -> Located:
    """Return the places for one more signature with `stamp_count` stamps.

    OFD.xml says where the signatures are before the first is made, and is never written again: all protect it.

    Raises:
        XmlError: Something lies there already.
    """
    changed: dict[str, bytes] = {}
    if view.signature_lists:
        listing = view.signature_lists[0]
        root = root_of(package[listing], "Signatures")
    else:
        listing = _announced(package, changed)
        root = etree.Element(f"{{{NAMESPACE}}}Signatures", nsmap={"ofd": NAMESPACE})
    signs = posixpath.dirname(listing)
    folder = _free_folder(package, signs)
    signature_id = _last_id(root, view, carried) + 1
    _list(root, signature_id, signature_id + stamp_count, f"/{folder}/Signature.xml")
    changed[listing] = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return Located(
        changed=changed,
        signature_id=signature_id,
        list_path=listing,
        signature_path=f"{folder}/Signature.xml",
        seal_path=f"{folder}/Seal.esl",
        value_path=f"{folder}/SignedValue.dat",
    )


def _announced(package: Package, changed: dict[str, bytes]) -> str:
    """Write into OFD.xml where the list of signatures will be, and return that."""
    root = root_of(package["OFD.xml"], "OFD")
    body = require(root, "DocBody")
    document, _ = resolve(package, text(require(body, "DocRoot")), "")
    signs = posixpath.join(posixpath.dirname(document), "Signs")
    if any(name == signs or name.startswith(f"{signs}/") for name in package.names):
        raise XmlError("the place of the signatures is taken")
    location = etree.SubElement(body, f"{{{etree.QName(body).namespace}}}Signatures")
    location.text = f"/{signs}/Signatures.xml"
    changed["OFD.xml"] = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return f"{signs}/Signatures.xml"


def _free_folder(package: Package, signs: str) -> str:
    """Return the first Sign_N that no file lies in, whatever the case of its letters."""
    taken = {name.casefold() for name in package.names}
    for number in range(len(package.names) + 1):
        folder = posixpath.join(signs, f"Sign_{number}")
        own = folder.casefold()
        if not any(name == own or name.startswith(f"{own}/") for name in taken):
            return folder
    raise AssertionError(signs)


def _last_id(root: Any, view: DocumentView, carried: Sequence[SignatureFile]) -> int:
    """Return the highest number in use: MaxSignId counts signatures and stamps, but is believed only upwards."""
    stated = find(root, "MaxSignId")
    texts = [text(stated)] if stated is not None else []
    texts += [entry.signature_id for entry in view.signatures]
    texts += [stamp.stamp_id for file in carried for stamp in file.stamps]
    return max((int(found.group()) for each in texts if (found := _NUMBER.search(each))), default=0)


def _list(root: Any, signature_id: int, last_id: int, path: str) -> None:
    namespace = etree.QName(root).namespace
    highest = find(root, "MaxSignId")
    if highest is None:
        highest = etree.Element(f"{{{namespace}}}MaxSignId")
        root.insert(0, highest)
    highest.text = str(last_id)
    entry = etree.SubElement(root, f"{{{namespace}}}Signature")
    for name, value in (("ID", str(signature_id)), ("Type", "Seal"), ("BaseLoc", path)):
        entry.set(name, value)


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
        for number, stamp in enumerate(stamps, located.signature_id + 1)
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
