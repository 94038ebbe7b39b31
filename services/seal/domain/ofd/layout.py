"""What a reader of the package can reach: documents, pages, resources, attachments, signatures."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from heapq import nsmallest
from typing import Any

from services.seal.domain.ofd.markup import (
    XmlError,
    find,
    find_all,
    local,
    named,
    ofd_tags,
    parse,
    require,
    resolve,
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
_NAMING = frozenset(
    tag
    for name in _XML_TEXTS | _FILE_TEXTS | _XML_BASE_LOCATIONS | {"FileLoc", "ColorSpace"}
    for tag in ofd_tags(name)
)
"""The tags whose elements name a file; all others are passed over."""
_MOST_PROBLEMS = 100  # one is enough to refuse a document
_KEPT_BYTES = 1 << 20  # of XML whose trees are kept during one viewing
_Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Page:
    """A page in order, its physical box in millimetres (x, y, width, height), and the templates drawn with it."""

    page_id: str
    path: str
    box_mm: _Box
    templates: tuple[str, ...] = ()


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

    @cached_property
    def dangling_named(self) -> tuple[str, ...]:
        """The first of the dangling locations by name: as many as are worth telling."""
        return tuple(nsmallest(_MOST_PROBLEMS, self.dangling))


def view_document(package: Package) -> DocumentView:
    """Return what the package shows.

    Raises:
        XmlError: OFD.xml is missing or not sound; every other fault is noted among the view's `problems`.
    """
    if _ROOT not in package:
        raise XmlError("OFD.xml is missing")
    view = DocumentView()
    trees = _Trees(package)
    root = trees.root_of(_ROOT, "OFD")
    bodies = find_all(root, "DocBody")
    view.bodies = len(bodies)
    if not bodies:
        raise XmlError("DocBody is missing")
    _Walk(view, trees).run()
    for body in bodies:
        _noting(view, partial(_document, trees, view, body))
        _noting(view, partial(_signatures, trees, view, body))
    return view


class _Trees:
    """The XML of a package, each small file parsed once; lives as long as one viewing."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self._kept: dict[str, Any] = {}
        self._room = _KEPT_BYTES

    def root(self, path: str) -> Any:
        """Return the root element of a file."""
        known = self._kept.get(path)
        if known is not None:
            return known
        data = self.package[path]
        root = parse(data)
        if len(data) <= self._room:
            self._room -= len(data)
            self._kept[path] = root
        return root

    def root_of(self, path: str, name: str) -> Any:
        """Return the root element if it is the OFD element `name`."""
        return named(self.root(path), name)


def _noting(view: DocumentView, step: Callable[[], None]) -> None:
    try:
        step()
    except XmlError as error:
        if len(view.problems) < _MOST_PROBLEMS:
            view.problems.append(str(error))


def _document(trees: _Trees, view: DocumentView, body: Any) -> None:
    package = trees.package
    path, exists = resolve(package, text(require(body, "DocRoot")), "")
    if not exists:
        raise XmlError("the document root is missing")
    document = trees.root_of(path, "Document")
    common, base = require(document, "CommonData"), posixpath.dirname(path)
    default = _box(find(common, "PageArea"), (0.0, 0.0, 210.0, 297.0))
    templates = _templates(package, common, base)
    seen: dict[str, tuple[_Box, tuple[str, ...]]] = {}
    for page in find_all(require(document, "Pages"), "Page"):
        location, present = resolve(package, page.get("BaseLoc", ""), base)
        if not present:
            continue  # dangling: noted by the walk
        page_id = page.get("ID", "")
        if page_id in view.pages:
            raise XmlError("two pages with one ID")
        if location not in seen:  # a thousand pages may name one file
            seen[location] = _page(trees.root_of(location, "Page"), default, templates)
        view.pages[page_id] = Page(page_id, location, *seen[location])


def _page(content: Any, default: _Box, templates: dict[str, str]) -> tuple[_Box, tuple[str, ...]]:
    """Return a page's box and the templates it is drawn over."""
    used = [templates.get(each.get("TemplateID", "")) for each in find_all(content, "Template")]
    return _box(find(content, "Area"), default), tuple(path for path in used if path)


def _templates(package: Package, common: Any, base: str) -> dict[str, str]:
    """Return the existing template pages by id."""
    found = {}
    for template in find_all(common, "TemplatePage"):
        location, present = resolve(package, template.get("BaseLoc", ""), base)
        if present:
            found[template.get("ID", "")] = location
    return found


def _signatures(trees: _Trees, view: DocumentView, body: Any) -> None:
    package = trees.package
    element = find(body, "Signatures")
    if element is None:
        return
    listing, exists = resolve(package, text(element), "")
    if not exists:
        raise XmlError("the list of signatures is missing")
    view.signature_lists.append(listing)
    entries = find_all(trees.root_of(listing, "Signatures"), "Signature")
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
    """Follows every location from file to file; a chain may be as long as there are members, so no recursion."""

    def __init__(self, view: DocumentView, trees: _Trees) -> None:
        self._view, self._trees = view, trees
        self._package = trees.package
        self._found = {_ROOT}
        self._waiting = [_ROOT]

    def run(self) -> None:
        """Note the root file and everything that its XML, and theirs, name."""
        self._view.reachable.add(_ROOT)
        while self._waiting:
            path = self._waiting.pop()
            _noting(self._view, partial(self._visit, path))

    def _visit(self, path: str) -> None:
        root, base = self._trees.root(path), posixpath.dirname(path)
        is_annotations = local(root) == "Annotations"
        files_base = base
        if local(root) == "Res" and root.get("BaseLoc"):
            files_base = _directory(root.get("BaseLoc"), base)
        for element in root.iter():
            if element.tag not in _NAMING:
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
            return
        self._view.reachable.add(path)
        if is_xml and path not in self._found:
            self._found.add(path)
            self._waiting.append(path)


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
