"""What may not be in a PDF that gets a seal: things that run, open, fetch or are attached."""

from __future__ import annotations

from typing import Any

from pyhanko.pdf_utils import generic

from services.seal.pdf.opening import LIMITS, TOO_COMPLEX, PdfLimits, Unreadable, followed, is_reference

_KEYS = frozenset(
    {"/JS", "/JavaScript", "/AA", "/EmbeddedFiles", "/EmbeddedFile", "/EF", "/XFA", "/RichMedia",
     "/RichMediaContent", "/RichMediaSettings", "/Launch", "/3DD", "/AF"}
)  # fmt: skip
_NAMES = frozenset(
    {"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToR", "/GoToE", "/Rendition", "/Movie", "/Sound",
     "/RichMediaExecute", "/RichMedia", "/SetOCGState", "/GoTo3DView", "/3D", "/Screen", "/FileAttachment",
     "/EmbeddedFile"}
)  # fmt: skip
_NAMING = ("/S", "/Subtype", "/Type")


def find_active(reader: Any, limits: PdfLimits = LIMITS) -> str | None:
    """Return the name of the first forbidden thing in any object of the newest revision, if there is one.

    Raises:
        Unreadable: More objects, or nested more deeply, than `limits` allow.
    """
    references: set[Any] = set()
    for revision in range(reader.xrefs.total_revisions):
        references |= reader.xrefs.explicit_refs_in_revision(revision)
    if len(references) > limits.objects:
        raise Unreadable(TOO_COMPLEX, "objects")
    left = [limits.objects * 20]
    for reference in references:
        found = _look(reader.get_object(reference), left, limits.depth)
        if found is not None:
            return found
    return None


def _look(value: Any, left: list[int], depth: int) -> str | None:
    left[0] -= 1
    if depth < 0 or left[0] < 0:
        raise Unreadable(TOO_COMPLEX, "depth")
    if isinstance(value, generic.DictionaryObject):
        forbidden = next((key for key in value if key in _KEYS), None) or _named(value)
        if forbidden is not None:
            return forbidden
        inner: list[Any] = [value.raw_get(key) for key in value]
    elif isinstance(value, generic.ArrayObject):
        inner = [value.raw_get(index) for index in range(len(value))]
    else:
        return None
    for each in inner:
        if isinstance(each, (generic.DictionaryObject, generic.ArrayObject)):
            found = _look(each, left, depth - 1)
            if found is not None:
                return found
    return None


def _named(value: Any) -> str | None:
    for key in _NAMING:
        name = value.raw_get(key) if key in value else None
        if is_reference(name):
            name = followed(name)
        if isinstance(name, generic.NameObject) and name in _NAMES:
            return str(name)
    return None
