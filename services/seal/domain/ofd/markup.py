"""Hardened XML: no DOCTYPE, no entities, no network; comments and instructions never cut a text short."""

from __future__ import annotations

import posixpath
from typing import Any

import lxml.etree

from services.seal.domain.ofd.package import LIMITS, Package

NAMESPACE = "http://www.ofdspec.org/2016"
etree: Any = lxml.etree  # lxml is untyped
_NAMESPACES = frozenset({NAMESPACE, "http://www.ofdspec.org"})  # both occur, also mixed in one package


class XmlError(ValueError):
    """The XML, or a location in it, breaks a rule; never leaves the domain."""


def parse(data: bytes) -> Any:
    """Return the root element.

    Raises:
        XmlError: Not well formed, too large, or with a document type.
    """
    if len(data) > LIMITS.xml_bytes:
        raise XmlError("the XML is too large")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True,
        remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise XmlError("the XML is not well formed") from None
    if root.getroottree().docinfo.doctype:
        raise XmlError("the XML has a document type")
    return root


def is_ofd(element: Any) -> bool:
    """Return whether the element is in an OFD namespace."""
    return isinstance(element.tag, str) and etree.QName(element).namespace in _NAMESPACES


def local(element: Any) -> str:
    """Return the local name."""
    return str(etree.QName(element).localname)


def find_all(element: Any, name: str) -> list[Any]:
    """Return the direct children called `name`; one of that name in a foreign namespace is refused."""
    found = [child for child in element if isinstance(child.tag, str) and local(child) == name]
    if any(not is_ofd(child) for child in found):
        raise XmlError(f"{name} in a foreign namespace")
    return found


def find(element: Any, name: str) -> Any | None:
    """Return the one direct child called `name`, or None; two are refused."""
    found = find_all(element, name)
    if len(found) > 1:
        raise XmlError(f"{name} stands twice")
    return found[0] if found else None


def require(element: Any, *names: str) -> Any:
    """Return the element at the end of a path of required children."""
    for name in names:
        element = find(element, name)
        if element is None:
            raise XmlError(f"{name} is missing")
    return element


def root_of(data: bytes, name: str) -> Any:
    """Return the root element if it is the OFD element `name`."""
    root = parse(data)
    if local(root) != name or not is_ofd(root):
        raise XmlError(f"the root is not {name}")
    return root


def text(element: Any) -> str:
    """Return all text inside the element, trimmed."""
    return "".join(element.itertext()).strip()


def resolve(package: Package, location: str, base: str) -> tuple[str, bool]:
    """Return the path that a location names from the directory `base`, and whether the file exists.

    Relative locations start at the XML file's directory, for some writers at the package root; both existing is
    refused, since two readers would then show two documents.
    """
    if "\\" in location or "\0" in location or not location.strip("/"):
        raise XmlError("a location that is no path")
    if location.startswith("/"):
        path = _inside(location[1:])
        return path, path in package
    near, root = _inside(posixpath.join(base, location)), _inside_or_none(location)
    if root is not None and root != near and root in package:
        if near in package:
            raise XmlError("a location that names two files")
        return root, True
    return near, near in package


def _inside(path: str) -> str:
    plain = _inside_or_none(path)
    if plain is None:
        raise XmlError("a location outside the package")
    return plain


def _inside_or_none(path: str) -> str | None:
    plain = posixpath.normpath(path)
    return None if plain.startswith(("../", "/")) or plain in {"..", "."} else plain
