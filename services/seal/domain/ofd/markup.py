"""Hardened XML: no DOCTYPE, no entities, no network; comments and instructions never cut a text short."""

from __future__ import annotations

import posixpath
import threading
from functools import lru_cache
from typing import Any

import lxml.etree

from services.seal.domain.ofd.package import LIMITS, Package

NAMESPACE = "http://www.ofdspec.org/2016"
etree: Any = lxml.etree  # lxml is untyped
_NAMESPACES = (NAMESPACE, "http://www.ofdspec.org")  # both occur, also mixed in one package
_of_thread = threading.local()
_KEPT_PATH = 200  # characters; answers about longer paths are not kept


class XmlError(ValueError):
    """The XML, or a location in it, breaks a rule; never leaves the domain."""


def parse(data: bytes) -> Any:
    """Return the root element.

    Raises:
        XmlError: Not well formed, too large, or with a document type.
    """
    if len(data) > LIMITS.xml_bytes:
        raise XmlError("the XML is too large")
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError):
        raise XmlError("the XML is not well formed") from None
    if root.getroottree().docinfo.doctype:
        raise XmlError("the XML has a document type")
    return root


def _parser() -> Any:
    """Return this thread's parser: making one costs as much as parsing a small file."""
    parser = getattr(_of_thread, "parser", None)
    if parser is None:
        parser = _of_thread.parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True,
            remove_pis=True,
        )  # fmt: skip
    return parser


def is_ofd(element: Any) -> bool:
    """Return whether the element is in an OFD namespace."""
    return isinstance(element.tag, str) and _split(element.tag)[0] in _NAMESPACES


def local(element: Any) -> str:
    """Return the local name."""
    return _split(element.tag)[1]


def ofd_tags(name: str) -> tuple[str, ...]:
    """Return the full tags of an OFD element in both namespaces, for `iter`."""
    return tuple(f"{{{namespace}}}{name}" for namespace in _NAMESPACES)


def _split(tag: str) -> tuple[str, str]:
    """Return namespace and local name of a tag as lxml writes it."""
    namespace, _, name = tag.rpartition("}")
    return namespace[1:], name


def find_all(element: Any, name: str) -> list[Any]:
    """Return the direct children called `name`; one of that name in a foreign namespace is refused."""
    found = []
    for child in element:
        tag = child.tag
        if isinstance(tag, str) and tag.endswith(name):
            namespace, own = _split(tag)
            if own == name:
                if namespace not in _NAMESPACES:
                    raise XmlError(f"{name} in a foreign namespace")
                found.append(child)
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
    return named(parse(data), name)


def named(root: Any, name: str) -> Any:
    """Return the root element if it is the OFD element `name`."""
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
    return _plain(path) if len(path) < _KEPT_PATH else _plain.__wrapped__(path)


@lru_cache(maxsize=4096)
def _plain(path: str) -> str | None:
    plain = posixpath.normpath(path)
    return None if plain.startswith(("../", "/")) or plain in {"..", "."} else plain
