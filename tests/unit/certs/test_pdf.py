"""The PDF of a licence: the page of its OFD, glyph for glyph; its metadata; the same bytes again."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import Any

import pikepdf
import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageChops

from chassis.errors import Fault
from services.certs.domain.ofd import render
from services.certs.domain.ofd.layout import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, lay_out, titled
from services.certs.domain.ofd.package import render_page
from services.certs.domain.ofd.preview import paint
from services.certs.domain.pdf import PDF_NOT_RENDERABLE, pdf_of
from services.certs.domain.pdf.reading import read_layout
from services.seal.pdf import examine
from tests.unit.certs.conftest import FOOD

ORIGINAL = "5f" * 32
_pdf: Any = pikepdf


def opened(content: bytes) -> Any:
    return _pdf.open(io.BytesIO(content))


def shown(content: bytes) -> list[str]:
    """The texts of the page as a reader copies them: character codes through the ToUnicode map."""
    document = opened(content)
    (page,) = document.pages
    to_unicode = _map(bytes(page.Resources.Font.F1.ToUnicode.read_bytes()))
    found = []
    for operands, operator in _pdf.parse_content_stream(page):
        if str(operator) == "TJ":
            codes = bytes(operands[0][0])
            pairs = [codes[at : at + 2].hex().upper() for at in range(0, len(codes), 2)]
            found.append("".join(to_unicode[each] for each in pairs))
    return found


def _map(cmap: bytes) -> dict[str, str]:
    found = {}
    for line in cmap.decode().splitlines():
        parts = line.strip("<>").split("> <")
        if line.startswith("<") and len(parts) == 2 and parts[0] != "0000":
            found[parts[0]] = bytes.fromhex(parts[1]).decode("utf-16-be")
    return found


def test_the_page_says_what_the_page_of_the_ofd_says(licence, types):
    page = lay_out(licence, types[FOOD])
    assert shown(pdf_of(render(licence, types[FOOD]).ofd, ORIGINAL)) == [each.content for each in page.texts]


def test_what_is_read_back_from_the_ofd_is_the_page_it_was_written_from(licence, types):
    page = titled(lay_out(licence, types[FOOD]), "（副本 第2号）")
    document = render_page(licence, types[FOOD], {"ZZBS": "x"}, lambda _: page).ofd
    found = read_layout(document)
    assert found.record == {"ZZBS": "x"}
    assert found.page.frames == page.frames
    assert [each.content for each in found.page.texts] == [each.content for each in page.texts]
    for one, other in zip(found.page.texts, page.texts, strict=True):
        assert (one.x, one.y, one.size) == pytest.approx((other.x, other.y, other.size), abs=0.0006)
        assert one.colour == other.colour
    before, after = (Image.open(io.BytesIO(paint(each))).convert("L") for each in (page, found.page))
    assert ImageChops.difference(before, after).getextrema()[1] < 128  # half a pixel of rounding at most


def test_every_glyph_is_embedded_with_its_width(licence, types):
    document = opened(pdf_of(render(licence, types[FOOD]).ofd, ORIGINAL))
    font = document.pages[0].Resources.Font.F1
    descendant = font.DescendantFonts[0]
    program = TTFont(io.BytesIO(descendant.FontDescriptor.FontFile2.read_bytes()))
    widths = list(descendant.W)
    assert len(widths) == 2
    assert widths[0] == 0
    units = program["head"].unitsPerEm
    expected = [program["hmtx"][name][0] * 1000 / units for name in program.getGlyphOrder()]
    assert [float(each) for each in widths[1]] == pytest.approx(expected, abs=0.001)
    assert str(font.BaseFont) == str(descendant.BaseFont) == str(descendant.FontDescriptor.FontName)


def test_the_metadata_are_those_of_the_ofd(licence, types):
    document = opened(pdf_of(render(licence, types[FOOD]).ofd, ORIGINAL))
    info = {str(name): str(value) for name, value in document.docinfo.items()}
    assert info["/Title"] == licence.type_name
    assert info["/Author"] == licence.issuer_name
    assert info["/ZZBS"] == licence.identifier
    assert info["/ZZLXDM"] == licence.type_code
    assert info["/ZZBFJGDM"] == licence.issuer_code
    assert info["/ZZBFRQ"] == licence.issued_date.isoformat()
    assert "/CZZTDM" not in info  # personal data stand where readers do not show them unasked
    xmp = document.open_metadata()
    assert xmp["dc:identifier"] == licence.identifier
    assert xmp["dc:source"] == f"urn:sha256:{ORIGINAL}"
    record = read_layout(render(licence, types[FOOD]).ofd).record
    for name, value in record.items():
        assert xmp[f"{{urn:tongban:gbt36903#}}{name}"] == value


def test_equal_licences_give_equal_bytes_and_others_do_not(licence, types):
    first, again = (pdf_of(render(licence, types[FOOD]).ofd, ORIGINAL) for _ in range(2))
    assert first == again
    other = replace(licence, issuer_name="玉山县市场监督管理局")
    assert pdf_of(render(other, types[FOOD]).ofd, ORIGINAL) != first


def test_the_page_has_the_size_of_the_ofds_and_seal_may_seal_it(licence, types):
    facts = examine(pdf_of(render(licence, types[FOOD]).ofd, ORIGINAL))
    assert facts.problem == ""
    (size,) = facts.pages
    assert size == pytest.approx((PAGE_WIDTH_MM, PAGE_HEIGHT_MM), abs=0.01)
    assert not facts.signatures


@pytest.mark.parametrize("broken", [b"", b"sealed", b"PK\x03\x04no package"])
def test_what_is_no_document_of_ours_is_refused(broken: bytes):
    with pytest.raises(Fault) as refused:
        pdf_of(broken, ORIGINAL)
    assert refused.value.code == PDF_NOT_RENDERABLE.code


@pytest.mark.parametrize("name", ["Doc_0/Pages/Page_0/Content.xml", "Doc_0/Attachs/licence.json"])
@pytest.mark.parametrize("content", [b"", b"<a", b"[]", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"])
def test_a_member_that_does_not_read_is_refused(licence, types, name: str, content: bytes):
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(render(licence, types[FOOD]).ofd)) as source,
        zipfile.ZipFile(target, "w") as package,
    ):
        for each in source.namelist():
            package.writestr(each, content if each == name else source.read(each))
    with pytest.raises(Fault) as refused:
        pdf_of(target.getvalue(), ORIGINAL)
    assert refused.value.code == PDF_NOT_RENDERABLE.code
