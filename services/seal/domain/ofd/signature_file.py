"""Signature.xml (GB/T 33190 clause 18.2): what it protects, where it stamps, where its value lies."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from services.seal.domain.ofd.layout import Page, box_of
from services.seal.domain.ofd.markup import XmlError, find, find_all, require, resolve, root_of, text
from services.seal.domain.ofd.package import LIMITS, Package


class TooManyReferences(XmlError):  # noqa: N818 - says which rule was broken
    """More files are named than one signature, or all together, may name."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where the imprint is painted: page id, box and visible part of the box, in millimetres."""

    page_id: str
    box_mm: tuple[float, float, float, float]
    clip_mm: tuple[float, float, float, float] | None = None
    stamp_id: str = ""

    def lies_on(self, page: Page) -> bool:
        """Return whether the clip lies in the box and the visible part on the page, to a tenth of a millimetre."""
        x, y, width, height = self.box_mm
        left, top, seen_width, seen_height = self.clip_mm or (0.0, 0.0, width, height)
        seen = (x + left, y + top, seen_width, seen_height)
        return _inside((left, top, seen_width, seen_height), (0.0, 0.0, width, height)) and _inside(
            seen, (0.0, 0.0, *page.box_mm[2:])
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """One protected file as stated: the text of FileRef, the path it resolves to, whether it exists."""

    stated: str
    path: str
    exists: bool
    check_value: str


@dataclass(frozen=True, slots=True)
class SignatureFile:
    """A Signature.xml as read; `check_method` None means the standard's default, MD5; `protected` all it names."""

    path: str
    data: bytes
    signature_method: str
    signature_date_time: str
    check_method: str | None
    references: tuple[Reference, ...]
    stamps: tuple[Stamp, ...]
    seal_path: str | None
    signed_value_path: str
    protected: frozenset[str]


def read_signature_files(package: Package, paths: Iterable[str]) -> list[SignatureFile | XmlError]:
    """Return every Signature.xml, or what is wrong with it; all together may not name more files than allowed."""
    found: list[SignatureFile | XmlError] = []
    room = LIMITS.all_references
    for path in paths:
        try:
            file = read_signature_file(package, path, min(room, LIMITS.references))
        except TooManyReferences as error:
            room = 0  # nothing more is read: that would only take time
            found.append(error)
        except XmlError as error:
            found.append(error)
        else:
            room -= len(file.references)
            found.append(file)
    return found


def read_signature_file(
    package: Package, path: str, most_references: int = LIMITS.references
) -> SignatureFile:
    """Return the Signature.xml at `path`.

    Raises:
        XmlError: It is not sound, or the files it lives by are missing.
    """
    if not most_references:
        raise TooManyReferences("too many references")
    base = posixpath.dirname(path)
    root = root_of(package[path], "Signature")
    info = require(root, "SignedInfo")
    references = require(info, "References")
    named = _references(package, references, base, most_references)
    return SignatureFile(
        path=path,
        data=package[path],
        signature_method=_optional(info, "SignatureMethod"),
        signature_date_time=_optional(info, "SignatureDateTime"),
        check_method=references.get("CheckMethod"),
        references=named,
        stamps=tuple(_stamp(element) for element in find_all(info, "StampAnnot")),
        seal_path=_seal_path(package, info, base),
        signed_value_path=_existing(package, text(require(root, "SignedValue")), base),
        protected=frozenset(reference.path for reference in named),
    )


def _references(package: Package, element: Any, base: str, most: int) -> tuple[Reference, ...]:
    entries = find_all(element, "Reference")
    if len(entries) > most:
        raise TooManyReferences("too many references")
    found = []
    for entry in entries:
        stated = entry.get("FileRef", "")
        path, exists = resolve(package, stated, base)
        found.append(Reference(stated, path, exists, text(require(entry, "CheckValue"))))
    return tuple(found)


def _stamp(element: Any) -> Stamp:
    clip = element.get("Clip")
    return Stamp(
        element.get("PageRef", ""),
        box_of(element.get("Boundary", "")),
        box_of(clip) if clip is not None else None,
        element.get("ID", ""),
    )


def _seal_path(package: Package, info: Any, base: str) -> str | None:
    seal = find(info, "Seal")
    return None if seal is None else _existing(package, text(require(seal, "BaseLoc")), base)


def _existing(package: Package, location: str, base: str) -> str:
    path, exists = resolve(package, location, base)
    if not exists:
        raise XmlError("a file of the signature is missing")
    return path


def _optional(element: Any, name: str) -> str:
    child = find(element, name)
    return "" if child is None else text(child)


def _inside(inner: tuple[float, float, float, float], outer: tuple[float, float, float, float]) -> bool:
    slack = 0.1
    return (
        inner[0] >= outer[0] - slack
        and inner[1] >= outer[1] - slack
        and inner[0] + inner[2] <= outer[0] + outer[2] + slack
        and inner[1] + inner[3] <= outer[1] + outer[3] + slack
    )
