"""Signature fields, stamp annotations and the security store of a document, as pyHanko's objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name, pdf_string
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigFieldSpec, enumerate_sig_fields

from services.seal.pdf.opening import entry
from services.seal.pdf.pages import Spot
from services.seal.pdf.stamp import Stamp, add_form, add_image

_FLAGS = 4 | 64 | 128 | 512  # printed, read only, locked, contents locked
_array: Any = generic.ArrayObject
_dictionary: Any = generic.DictionaryObject
_stream: Any = generic.StreamObject
_float: Any = generic.FloatObject
_number: Any = generic.NumberObject
_TRANSFORMS = frozenset({"/DocMDP", "/FieldMDP", "/UR3", "/UR"})


def has_signatures(reader: PdfFileReader) -> bool:
    """Return whether a field of the document is signed."""
    return any(True for _ in enumerate_sig_fields(reader, filled_status=True))


def count(reader: PdfFileReader) -> int:
    """Return the number of signature fields, signed or not."""
    return sum(1 for _ in enumerate_sig_fields(reader))


def forbids_changes(reader: PdfFileReader) -> bool:
    """Return whether an earlier signature certifies the document, grants usage rights or locks its fields."""
    if reader.root.get("/Perms"):
        return True
    for _, value, reference in enumerate_sig_fields(reader):
        field: Any = reference.get_object()
        if value is None:
            continue
        if "/Lock" in field:
            return True
        transforms: Any = entry(value.get_object(), "/Reference", ())
        if any(each.get_object()["/TransformMethod"] in _TRANSFORMS for each in transforms):
            return True
    return False


def fresh_name(reader: PdfFileReader) -> str:
    """Return a field name that no field of the document has."""
    form = entry(reader.root, "/AcroForm", {})
    taken = {str(entry(each.get_object(), "/T", "")) for each in entry(form, "/Fields", ())}
    return next(
        name for name in (f"Seal{number}" for number in range(1, len(taken) + 2)) if name not in taken
    )


def field_spec(name: str, spots: Sequence[Spot], seal_name: str) -> SigFieldSpec:
    """Return the field on the first spot; without spots it is not seen."""
    box: Any = spots[0].rectangle if spots else None
    page = spots[0].page.index if spots else 0
    return SigFieldSpec(sig_field_name=name, on_page=page, box=box, readable_field_name=seal_name)


def show(writer: Any, field_reference: Any, stamp: Stamp, spots: Sequence[Spot]) -> None:
    """Give the field its appearance and add an annotation for each further spot, all of one image."""
    if not spots:
        return
    image = add_image(writer, stamp)
    field_reference.get_object()[pdf_name("/AP")] = _appearance(add_form(writer, image, spots[0]))
    forms: dict[object, Any] = {}
    for spot in spots[1:]:
        shape = (spot.width, spot.height, spot.clip, spot.page.rotation)
        if shape not in forms:
            forms[shape] = add_form(writer, image, spot)
        _annotate(writer, forms[shape], spot)


def _appearance(form: Any) -> Any:
    return _dictionary({pdf_name("/N"): form})


def _annotate(writer: Any, form: Any, spot: Spot) -> None:
    page, _ = writer.find_page_for_modification(spot.page.index)
    annotation = _dictionary(
        {
            pdf_name("/Type"): pdf_name("/Annot"),
            pdf_name("/Subtype"): pdf_name("/Stamp"),
            pdf_name("/Name"): pdf_name("/Seal"),
            pdf_name("/Rect"): _array([_float(round(each, 3)) for each in spot.rectangle]),
            pdf_name("/F"): _number(_FLAGS),
            pdf_name("/P"): page,
            pdf_name("/Contents"): pdf_string("电子印章"),
            pdf_name("/AP"): _appearance(form),
        }
    )
    writer.register_annotation(page, writer.add_object(annotation))


def keep(writer: Any, certificates: Iterable[bytes], crls: Iterable[bytes]) -> None:
    """Add certificates and lists to the document's security store (ISO 32000-2 12.8.4.3), each once."""
    root: Any = writer.root
    if "/DSS" in root:
        store: Any = root["/DSS"]
        writer.update_container(store)
    else:
        store = _dictionary({pdf_name("/Type"): pdf_name("/DSS")})
        root[pdf_name("/DSS")] = writer.add_object(store)
        writer.update_root()
    for key, values in (("/Certs", certificates), ("/CRLs", crls)):
        kept: Any = store[key] if key in store else _array()
        if key in store:
            writer.update_container(kept)
        known = {each.get_object().data for each in kept}
        for value in dict.fromkeys(values):
            if value not in known:
                kept.append(writer.add_object(_stream(stream_data=value)))
        store[pdf_name(key)] = kept
