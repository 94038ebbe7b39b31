"""What a reader of the package can reach: documents, pages, resources, attachments, signatures."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from services.seal.domain.ofd.markup import (
    XmlError,
    find,
    find_all,
    is_ofd,
    local,
    parse,
    require,
    resolve,
    root_of,
    text,
)  # fmt: skip
from services.seal.domain.ofd.package import LIMITS, Package

_ROOT = "OFD.xml"
_XML_TEXTS = frozenset(
    {
        "DocRoot",
        "PublicRes",
        "DocumentRes",
        "PageRes",
        "Annotations",
        "CustomTags",
        "Attachments",
        "Extensions",
    }
)
_FILE_TEXTS = frozenset({"FontFile", "MediaFile", "SchemaLoc", "ExtendData", "Cover", "Thumbnail", "File"})
_XML_BASE_LOCATIONS = frozenset({"Page", "TemplatePage", "Version"})
_Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Page:
    """A page in order, with its physical box in millimetres (x, y, width, height)."""

    page_id: str
    path: str
    box_mm: _Box


@dataclass(frozen=True, slots=True)
class SignatureEntry:
    """One entry of a Signatures.xml: where its Signature.xml lies and where it was listed."""

    signature_id: str
    path: str
    listed_in: str


@dataclass
class DocumentView:
    """A package seen as a reader sees it.

    `reachable` holds every existing file a reader may open; `dangling` the locations whose file is absent;
    `problems` what is wrong with files other than OFD.xml, so that the rest can still be judged.
    """

    bodies: int = 0
    pages: dict[str, Page] = field(default_factory=dict)
    reachable: set[str] = field(default_factory=set)
    dangling: set[str] = field(default_factory=set)
    signatures: list[SignatureEntry] = field(default_factory=list)
    signature_lists: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def view_document(package: Package) -> DocumentView:
    """Return what the package shows.

    Raises:
        XmlError: OFD.xml is missing or not sound; every other fault is noted among the view's `problems`.
    """
    if _ROOT not in package:
        raise XmlError("OFD.xml is missing")
    view = DocumentView()
    root = root_of(package[_ROOT], "OFD")
    bodies = find_all(root, "DocBody")
    view.bodies = len(bodies)
    if not bodies:
        raise XmlError("DocBody is missing")
    _noting(view, lambda: _Walk(package, view).visit(_ROOT, root))
    for body in bodies:
        _noting(view, partial(_document, package, view, body))
        _noting(view, partial(_signatures, package, view, body))
    return view


def _noting(view: DocumentView, step: Callable[[], None]) -> None:
    try:
        step()
    except XmlError as error:
        view.problems.append(str(error))


def _document(package: Package, view: DocumentView, body: Any) -> None:
    path, exists = resolve(package, text(require(body, "DocRoot")), "")
    if not exists:
        raise XmlError("the document root is missing")
    document = root_of(package[path], "Document")
    default = _box(find(require(document, "CommonData"), "PageArea"), (0.0, 0.0, 210.0, 297.0))
    for page in find_all(require(document, "Pages"), "Page"):
        location, present = resolve(package, page.get("BaseLoc", ""), posixpath.dirname(path))
        if not present:
            continue  # dangling: noted by the walk
        page_id = page.get("ID", "")
        if page_id in view.pages:
            raise XmlError("two pages with one ID")
        area = find(root_of(package[location], "Page"), "Area")
        view.pages[page_id] = Page(page_id, location, _box(area, default))


def _signatures(package: Package, view: DocumentView, body: Any) -> None:
    element = find(body, "Signatures")
    if element is None:
        return
    listing, exists = resolve(package, text(element), "")
    if not exists:
        raise XmlError("the list of signatures is missing")
    view.signature_lists.append(listing)
    entries = find_all(root_of(package[listing], "Signatures"), "Signature")
    if len(view.signatures) + len(entries) > LIMITS.signatures:
        raise XmlError("too many signatures")
    for entry in entries:
        path, present = resolve(package, entry.get("BaseLoc", ""), posixpath.dirname(listing))
        if not present:
            raise XmlError("a listed signature is missing")
        view.signatures.append(SignatureEntry(entry.get("ID", ""), path, listing))
    if len({entry.path for entry in view.signatures}) != len(view.signatures):
        raise XmlError("one signature listed twice")


class _Walk:
    """Follows every location from file to file."""

    def __init__(self, package: Package, view: DocumentView) -> None:
        self._package, self._view = package, view

    def visit(self, path: str, root: Any) -> None:
        """Note the file and everything its XML names."""
        self._view.reachable.add(path)
        base = posixpath.dirname(path)
        is_annotations = local(root) == "Annotations"
        files_base = base
        if local(root) == "Res" and root.get("BaseLoc"):
            files_base = _directory(root.get("BaseLoc"), base)
        for element in root.iter():
            if not is_ofd(element):
                continue
            _noting(self._view, partial(self._locations, element, base, files_base, is_annotations))

    def _locations(self, element: Any, base: str, files_base: str, is_annotations: bool) -> None:
        name = local(element)
        if name in _XML_TEXTS and not len(element):
            self._follow(text(element), base, is_xml=True)
        elif name == "FileLoc":
            self._follow(text(element), base, is_xml=is_annotations)
        elif name in _FILE_TEXTS and not len(element):
            self._follow(text(element), files_base, is_xml=False)
        elif name in _XML_BASE_LOCATIONS and element.get("BaseLoc"):
            self._follow(element.get("BaseLoc"), base, is_xml=True)
        if name == "ColorSpace" and element.get("Profile"):
            self._follow(element.get("Profile"), files_base, is_xml=False)

    def _follow(self, location: str, base: str, *, is_xml: bool) -> None:
        if not location:
            return
        path, exists = resolve(self._package, location, base)
        if not exists:
            self._view.dangling.add(path)
        elif path not in self._view.reachable:
            self._view.reachable.add(path)
            if is_xml:
                _noting(self._view, lambda: self.visit(path, parse(self._package[path])))


def _directory(location: str, base: str) -> str:
    joined = location[1:] if location.startswith("/") else posixpath.join(base, location)
    return posixpath.normpath(joined)


def _box(area: Any | None, default: _Box) -> _Box:
    element = find(area, "PhysicalBox") if area is not None else None
    return default if element is None else box_of(text(element))


def box_of(value: str) -> _Box:
    """Return the four numbers of an ST_Box in millimetres, width and height positive."""
    try:
        x, y, width, height = (float(part) for part in value.split())
    except ValueError:
        raise XmlError("a box that is not four numbers") from None
    if not (0 < width < 1e6 and 0 < height < 1e6 and abs(x) < 1e6 and abs(y) < 1e6):
        raise XmlError("a box without extent")
    return x, y, width, height
