"""The unsealed layout document: opens, well-formed, the same bytes, its own font, its metadata inside."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from chassis.errors import Fault
from services.certs.domain.licence_type import FaceField, LicenceType
from services.certs.domain.ofd import SEAL_X_MM, SEAL_Y_MM, render
from services.certs.domain.ofd.layout import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, SEAL_SIZE_MM, lay_out, wrap
from services.certs.domain.ofd.markup import delta_x
from standards.masking import MaskRule
from tests.unit.certs.conftest import FOOD

NS = {"ofd": "http://www.ofdspec.org/2016"}


def opened(content: bytes) -> zipfile.ZipFile:
    package = zipfile.ZipFile(io.BytesIO(content))
    assert package.testzip() is None
    return package


def tree(package: zipfile.ZipFile, name: str) -> etree._Element:
    return etree.fromstring(package.read(name), etree.XMLParser(resolve_entities=False, no_network=True))


def test_the_package_opens_in_a_fixed_order_with_every_named_file_there(licence, types):
    package = opened(render(licence, types[FOOD]).ofd)
    assert package.namelist() == [
        "OFD.xml",
        "Doc_0/Document.xml",
        "Doc_0/PublicRes.xml",
        "Doc_0/Res/font_1.ttf",
        "Doc_0/Pages/Page_0/Content.xml",
        "Doc_0/Attachs/Attachments.xml",
        "Doc_0/Attachs/licence.json",
    ]
    for entry in package.infolist():
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert not entry.flag_bits & 0x08  # no data descriptors
        stored = entry.filename.endswith(".ttf")
        assert entry.compress_type == (zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    root = tree(package, "OFD.xml")
    assert root.findtext(".//ofd:DocRoot", namespaces=NS) == "Doc_0/Document.xml"
    assert root.find(".//ofd:Signatures", namespaces=NS) is None
    document = tree(package, "Doc_0/Document.xml")
    last_id = int(document.findtext(".//ofd:MaxUnitID", namespaces=NS))
    content = tree(package, "Doc_0/Pages/Page_0/Content.xml")
    ids = [int(each.get("ID")) for each in content.iter() if each.get("ID")]
    assert len(set(ids)) == len(ids)
    assert max(ids) == last_id


def test_the_metadata_stand_in_custom_datas_and_in_the_attachment(licence, types):
    package = opened(render(licence, types[FOOD]).ofd)
    entries = tree(package, "OFD.xml").findall(".//ofd:CustomData", namespaces=NS)
    found = {each.get("Name"): each.text for each in entries}
    assert found["ZZMC"] == "食品经营许可证"
    assert found["ZZBS"] == licence.identifier
    assert found["CZZT"] == "丰小玉"
    assert found["ZZYXQJZRQ"] == "2031-03-08"
    assert "KZ_OTHER" not in found
    assert json.loads(package.read("Doc_0/Attachs/licence.json")) == found


def test_the_same_licence_gives_the_same_bytes_and_another_gives_others(licence, types):
    first = render(licence, types[FOOD])
    assert render(licence, types[FOOD]).ofd == first.ofd
    assert render(replace(licence, number="x"), types[FOOD]).sha256 != first.sha256


def test_the_font_holds_every_character_on_the_page_and_few_others(licence, types):
    package = opened(render(licence, types[FOOD]).ofd)
    font = TTFont(io.BytesIO(package.read("Doc_0/Res/font_1.ttf")))
    content = tree(package, "Doc_0/Pages/Page_0/Content.xml")
    shown = set("".join(each.text for each in content.findall(".//ofd:TextCode", namespaces=NS)))
    assert {ord(char) for char in shown} == set(font.getBestCmap())
    assert "丰小玉" in "".join(each.text for each in content.findall(".//ofd:TextCode", namespaces=NS))


def test_every_text_lies_on_the_page_with_one_advance_less_than_characters(licence, types):
    package = opened(render(licence, types[FOOD]).ofd)
    for text in tree(package, "Doc_0/Pages/Page_0/Content.xml").findall(".//ofd:TextObject", namespaces=NS):
        x, y, width, height = (float(value) for value in text.get("Boundary").split())
        assert 0 <= x <= x + width <= PAGE_WIDTH_MM
        assert 0 <= y <= y + height <= PAGE_HEIGHT_MM
        code = text.find("ofd:TextCode", namespaces=NS)
        assert len(read_delta(code.get("DeltaX", ""))) == len(code.text) - 1


def test_the_identity_number_of_a_person_is_masked_on_the_page(licence, types):
    page = lay_out(licence, types[FOOD])
    everything = "".join(text.content for text in page.texts)
    assert "11010519491231002X" not in everything
    assert "1***************2X" in everything


def test_the_place_of_the_seal_is_on_the_page_and_free_of_face_fields(licence, types):
    assert SEAL_X_MM + SEAL_SIZE_MM < PAGE_WIDTH_MM - 13
    assert SEAL_Y_MM + SEAL_SIZE_MM < PAGE_HEIGHT_MM - 13
    face = dict.fromkeys(licence.face, "长" * 120)
    page = lay_out(replace(licence, face=face), types[FOOD])
    fields = [text for text in page.texts if 60 < text.y < 150]
    assert fields
    assert all(text.y + text.size <= 147 for text in fields)


def test_a_character_the_font_lacks_is_marked_on_the_page_and_kept_in_the_metadata(licence, types):
    rare = "丰\ue123\x07玉"
    changed = replace(licence, face={"KZ_JYZMC": rare})
    package = opened(render(changed, types[FOOD]).ofd)
    assert "丰〓 玉" in "".join(text.content for text in lay_out(changed, types[FOOD]).texts)
    assert rare.replace("\x07", " ") in package.read("OFD.xml").decode()


def test_more_than_a_page_holds_is_refused(licence):
    fields = tuple(FaceField(f"KZ_{n}", "项", False, MaskRule.NONE) for n in range(90))
    kind = LicenceType(FOOD, "证", fields)
    with pytest.raises(Fault) as refused:
        lay_out(replace(licence, face={each.name: "长" * 200 for each in fields}), kind)
    assert refused.value.code == "FACE_TOO_LONG"


@given(st.lists(st.floats(0.5, 9, allow_nan=False).map(lambda v: round(v, 3)), min_size=1, max_size=40))
def test_delta_x_reads_back_as_the_advances(steps):
    assert read_delta(delta_x(steps)) == steps[:-1]


@settings(max_examples=50)
@given(st.text("丰小玉ABC，12 ", max_size=60), st.floats(5, 40))
def test_wrapped_lines_hold_the_whole_text(text, width):
    assert "".join(wrap(text, 5.0, width)) == text


def read_delta(text: str) -> list[float]:
    words, values = iter(text.split()), []
    for word in words:
        if word == "g":
            count = int(next(words))
            values += [float(next(words))] * count
        else:
            values.append(float(word))
    return values
