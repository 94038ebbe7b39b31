"""The document that certs makes is one that seal reads strictly, seals whole and verifies."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from services.certs.app import read_catalogue
from services.certs.domain.holder import Holder
from services.certs.domain.issuing import IssueData, make
from services.certs.domain.licence import Licence
from services.certs.domain.ofd import Rendered, render
from services.seal.domain.ofd import read_package, view_document
from services.seal.domain.sealing import Placement, seal_document
from services.seal.domain.verification import Verdict, verify_document
from tests.unit.seal.sealing_room import NOW, evidence, pack, seal_in_use, unpack

FOOD = "11100000MB0143028R901"
CATALOGUE = Path(__file__).parents[3] / "catalogue"
SEAL_MM = 42.0


def made(**changed: object) -> Licence:
    fields = {
        "case_id": "case-1",
        "part_id": "part-1",
        "item_code": "item-1",
        "type_code": FOOD,
        "county_code": "361103",
        "issuer_code": "11361103TB1000011X",
        "issuer_name": "上饶市广丰区市场监督管理局",
        "holder": Holder("111", "11010519491231002X", "丰小玉"),
        "face": {"KZ_JYZMC": "丰小玉餐饮店", "KZ_JYCS": "永丰街道一号", "KZ_ZTYT": "餐饮服务经营者"},
        "validity_years": 5,
        "decided_at": datetime(2026, 11, 20, 3, tzinfo=UTC),
    } | changed
    kind = read_catalogue(CATALOGUE)[0][FOOD]
    return make("0195d0f2-0000-7000-8000-000000000001", IssueData(**fields), kind, 7)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return render(made(), read_catalogue(CATALOGUE)[0][FOOD])


@pytest.fixture(scope="module")
def sealed(rendered: Rendered) -> bytes:
    place = Placement(1, rendered.seal_x_mm, rendered.seal_y_mm, SEAL_MM, SEAL_MM)
    return seal_document(rendered.ofd, seal_in_use(), [place], NOW).data


def test_the_strict_reader_reaches_every_member_and_finds_no_fault(rendered: Rendered):
    package = read_package(rendered.ofd)
    view = view_document(package)
    assert view.problems == []
    assert not view.dangling
    assert view.reachable == package.names
    assert view.signatures == []
    (page,) = view.pages.values()
    assert page.box_mm == (0.0, 0.0, 297.0, 210.0)


def test_the_seal_fits_its_place_and_the_sealed_document_is_valid(sealed: bytes):
    report = verify_document(sealed, evidence())
    assert report.verdict is Verdict.VALID
    assert len(report.signatures) == 1


def test_the_metadata_are_the_same_under_the_seal(rendered: Rendered, sealed: bytes):
    def record(document: bytes) -> dict[str, str]:
        root = etree.fromstring(zipfile.ZipFile(io.BytesIO(document)).read("OFD.xml"))
        entries = root.findall(".//{http://www.ofdspec.org/2016}CustomData")
        return {each.get("Name"): each.text for each in entries}

    assert record(sealed) == record(rendered.ofd)
    assert record(sealed)["ZZBS"] == made().identifier


@pytest.mark.parametrize("name", sorted(unpack(render(made(), read_catalogue(CATALOGUE)[0][FOOD]).ofd)))
def test_no_member_of_a_sealed_licence_can_be_changed(sealed: bytes, name: str):
    files = unpack(sealed)
    files[name] = files[name].replace(b"1", b"2", 1) if b"1" in files[name] else files[name] + b" "
    report = verify_document(pack(files), evidence())
    assert report.verdict is not Verdict.VALID
