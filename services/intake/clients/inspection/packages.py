"""OFD packages (GB/T 33190): the container, plain XML without entities, nothing that runs, nothing nested."""

from __future__ import annotations

from typing import Any

import lxml.etree

from services.intake.clients.inspection.archives import members
from services.intake.clients.inspection.reasons import (
    FILE_ACTIVE,
    FILE_BROKEN_INSIDE,
    FILE_TOO_COMPLEX,
    FileLimits,
)

_etree: Any = lxml.etree  # lxml is untyped
_NAMESPACES = ("http://www.ofdspec.org/2016", "http://www.ofdspec.org")
_ACTIVE_ELEMENTS = frozenset(
    {"script", "javascript", "gotoa", "movie", "sound", "video", "launch", "attachments", "foreignobject"}
)
_ACTIVE_SUFFIXES = [
    ".js",
    ".mjs",
    ".vbs",
    ".ps1",
    ".bat",
    ".cmd",
    ".exe",
    ".dll",
    ".so",
    ".scr",
    ".com",
    ".msi",
    ".jar",
    ".class",
    ".sh",
    ".py",
    ".php",
    ".jsp",
    ".asp",
    ".aspx",
    ".hta",
    ".html",
    ".htm",
    ".xhtml",
    ".svg",
    ".swf",
    ".lnk",
    ".zip",
    ".rar",
    ".7z",
    ".gz",
    ".tar",
    ".ofd",
    ".pdf",
    ".doc",
    ".docm",
    ".docx",
    ".xls",
    ".xlsm",
    ".xlsx",
]
_NESTED = (b"PK\x03\x04", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00", b"%PDF-",
           b"MZ", b"\x7fELF", b"<svg", b"<html", b"<!DOCTYPE")  # fmt: skip
_MAX_DEPTH = 200


def inspect_ofd(content: bytes, limits: FileLimits) -> bytes:
    """Return the package as it came: rewriting it would break its seals. Raises what `members` raises."""
    root: bytes | None = None
    for name, data in members(content, limits):
        lower = name.lower()
        if lower.endswith(tuple(_ACTIVE_SUFFIXES)) or data.startswith(_NESTED):
            raise FILE_ACTIVE()
        if lower.endswith(".xml"):
            _check_xml(data, limits)
            root = data if name == "OFD.xml" else root
    if root is None or _parse(root).tag not in {f"{{{each}}}OFD" for each in _NAMESPACES}:
        raise FILE_BROKEN_INSIDE()
    return content


def _check_xml(data: bytes, limits: FileLimits) -> None:
    if len(data) > limits.xml_bytes:
        raise FILE_TOO_COMPLEX()
    for element in _parse(data).iter():
        if isinstance(element.tag, str):
            local = _etree.QName(element).localname.lower()
            if local in _ACTIVE_ELEMENTS or any(
                "javascript:" in str(v).lower() for v in element.attrib.values()
            ):
                raise FILE_ACTIVE()


def _parse(data: bytes) -> Any:
    parser = _etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = _etree.fromstring(data, parser)
    except (_etree.XMLSyntaxError, ValueError):
        raise FILE_BROKEN_INSIDE() from None
    if root.getroottree().docinfo.doctype:
        raise FILE_ACTIVE()
    return root
