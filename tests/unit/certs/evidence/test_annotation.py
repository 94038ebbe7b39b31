"""An annotated copy bears its marks on the page and inside, whoever wrote the file, and hostile files bear none."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.certs.domain.evidence.annotation import (
    LONGEST_LIFE,
    Annotation,
    expiry_violations,
    make_copy,
    picture_of_copy,
    refuse_copy,
)
from services.certs.domain.ofd import render
from standards.annotated_copy import copy_mark
from tests.unit.certs.conftest import FOOD, MARKET, NOW, data, licence, types

__all__ = ["data", "licence", "types"]
NOTE = Annotation("c-1", "办理贷款", MARKET, "某局", "case-1", NOW, NOW + timedelta(days=2), "ab" * 32)


def test_the_same_annotation_gives_the_same_bytes_and_its_mark_can_be_read(licence, types):
    made = make_copy(licence, types[FOOD], NOTE)
    assert made.ofd == make_copy(licence, types[FOOD], NOTE).ofd
    mark = copy_mark(made.ofd)
    assert mark is not None
    assert (mark.use_cause, mark.original_sha256) == ("办理贷款", "ab" * 32)
    assert mark.expires_at == "2026-03-11 10:00:00"
    with pytest.raises(Fault) as refused:
        refuse_copy(made.ofd)
    assert refused.value.code == "COPY_IS_NO_ORIGINAL"


def test_an_original_bears_no_mark(licence, types):
    original = render(licence, types[FOOD]).ofd
    assert copy_mark(original) is None
    refuse_copy(original)


def test_a_long_purpose_stays_within_the_page(licence, types):
    from dataclasses import replace

    note = replace(NOTE, use_cause="用" * 200, consumer_name="某" * 60)
    with zipfile.ZipFile(io.BytesIO(make_copy(licence, types[FOOD], note).ofd)) as package:
        page = package.read("Doc_0/Pages/Page_0/Content.xml").decode()
    boxes = [each.split('"')[1].split() for each in page.split("Boundary=")[1:]]
    assert all(float(x) + float(width) <= 300 for x, _, width, _ in boxes)


def test_the_picture_bears_the_same_lines(licence, types):
    assert picture_of_copy(licence, types[FOOD], NOTE).startswith(b"\x89PNG")


def ofd(root: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as package:
        package.writestr("OFD.xml", root)
    return target.getvalue()


@pytest.mark.parametrize(
    "root",
    [
        b'<OFD><CuslomData name="JZJZZSY">x</CuslomData></OFD>',
        b'<o:OFD xmlns:o="u"><o:CustomData NAME="jzjzzsy"> x </o:CustomData></o:OFD>',
    ],
)
def test_the_mark_is_found_in_the_spellings_of_the_field(root):
    assert copy_mark(ofd(root)) is not None


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"%PDF-1.7",
        b"PK\x03\x04broken",
        ofd(b"<OFD"),
        ofd(b'<!DOCTYPE x [<!ENTITY a "b">]><OFD><CustomData Name="JZJZZSY">&a;</CustomData></OFD>'),
        ofd(b"<OFD>" + b" " * (1024 * 1024) + b"</OFD>"),
    ],
)
def test_what_cannot_be_read_bears_no_mark(document):
    assert copy_mark(document) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content):
    assert copy_mark(b"PK\x03\x04" + content) is None


def test_a_copy_ends_in_the_future_and_not_too_late():
    assert expiry_violations(None, NOW) == []
    assert expiry_violations(NOW + LONGEST_LIFE, NOW) == []
    for wrong in (NOW, NOW + LONGEST_LIFE + timedelta(seconds=1)):
        assert [each.field_path for each in expiry_violations(wrong, NOW)] == ["expires_at"]
