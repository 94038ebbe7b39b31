"""Sealing: what is refused before a signature is made, and what comes out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree

from chassis.errors import Fault
from services.seal.domain.placing import riding_seal
from services.seal.domain.sealing import (
    OFD_ALREADY_SEALED,
    OFD_REFUSED,
    SEAL_MALFORMED,
    SEAL_NOT_USABLE,
    STAMP_OUTSIDE_PAGE,
    Placement,
    make_seal,
    prepare_seal,
    seal_document,
)  # fmt: skip
from services.seal.domain.structures import read_seal, read_sealed_value
from services.seal.domain.suite import ECDSA_WITH_SHA256
from tests.unit.seal.sealing_room import (
    AUTHORITY,
    NOW,
    PLACE,
    SEAL_ID,
    judge,
    make,
    ofd_files,
    pack,
    pki,
    seal_der,
    seal_fields,
    seal_in_use,
    sealed,
    sealed_once,
    signer,
    sm2,
    suites,
    unpack,
)  # fmt: skip


def refusal(action):
    with pytest.raises(Fault) as raised:
        action()
    return raised.value.reason


def test_a_freshly_sealed_document_is_valid_and_its_ledger_entry_matches():
    result = sealed()
    files = unpack(result.data)
    value = read_sealed_value(files["Doc_0/Signs/Sign_0/SignedValue.dat"])
    assert judge(result.data).verdict == "VALID"
    assert (result.seal_id, result.signed_at) == (SEAL_ID, NOW)
    assert result.document_digest == sm2().digest(result.data)
    assert result.data_hash == value.data_hash == sm2().digest(files["Doc_0/Signs/Sign_0/Signature.xml"])
    assert result.signature_digest == sm2().digest(value.signature)
    assert value.property_info == "/Doc_0/Signs/Sign_0/Signature.xml"
    assert value.seal.raw == seal_der() == files["Doc_0/Signs/Sign_0/Seal.esl"]


def test_only_the_signature_value_differs_between_two_sealings():
    first, second = unpack(sealed().data), unpack(sealed().data)
    assert [name for name in first if first[name] != second[name]] == ["Doc_0/Signs/Sign_0/SignedValue.dat"]
    assert next(iter(first)) == "OFD.xml"


def test_every_member_but_the_signature_itself_is_referenced():
    files = unpack(sealed_once())
    root = etree.fromstring(files["Doc_0/Signs/Sign_0/Signature.xml"])
    named = {element.get("FileRef").lstrip("/") for element in root.iter("{*}Reference")}
    assert files.keys() - named == {"Doc_0/Signs/Sign_0/Signature.xml", "Doc_0/Signs/Sign_0/SignedValue.dat"}
    order = [etree.QName(element).localname for element in root.find("{*}SignedInfo")]
    assert order == ["Provider", "SignatureMethod", "SignatureDateTime", "References", "StampAnnot", "Seal"]


def test_a_sealed_document_takes_no_second_seal():
    assert refusal(lambda: seal_document(sealed_once(), seal_in_use(), [PLACE], NOW)) is OFD_ALREADY_SEALED


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.pop("Doc_0/Res/hei.ttf"),
        lambda files: files.pop("OFD.xml"),
        lambda files: files.__setitem__("Doc_0/Document.xml", b"<x"),
        lambda files: files.__setitem__("Doc_0/Signs/Sign_0/x", b""),
        lambda files: files.__setitem__(
            "OFD.xml", files["OFD.xml"].replace(b"</ofd:OFD>", b"<ofd:DocBody/></ofd:OFD>")
        ),
    ],
    ids=["dangling font", "no root", "broken XML", "place taken", "second body"],
)
def test_unsound_documents_are_not_sealed(change):
    files = ofd_files()
    change(files)
    assert refusal(lambda: seal_document(pack(files), seal_in_use(), [PLACE], NOW)) is OFD_REFUSED
    assert refusal(lambda: seal_document(b"no zip", seal_in_use(), [PLACE], NOW)) is OFD_REFUSED


@pytest.mark.parametrize(
    "place",
    [Placement(2, 10, 10, 42, 42), Placement(0, 10, 10, 42, 42), Placement(1, 190, 10, 42, 42),
     Placement(1, 10, -5, 42, 42), Placement(1, 10, 10, 42, 42, (30, 0, 20, 42))],
)  # fmt: skip
def test_stamps_outside_the_page_are_refused(place):
    assert refusal(lambda: sealed(places=[place])) is STAMP_OUTSIDE_PAGE


@pytest.mark.parametrize("days", [-100, 1000])
def test_a_seal_outside_its_validity_is_not_used(days):
    assert refusal(lambda: sealed(at=NOW + timedelta(days=days))) is SEAL_NOT_USABLE


def test_a_riding_seal_shows_one_slice_per_page():
    places = riding_seal([(210.0, 297.0)] * 5, 40.0, 40.0, 40.0)
    assert [place.x_mm for place in places] == [202, 194, 186, 178, 170]
    assert [place.clip_mm[0] for place in places] == [0, 8, 16, 24, 32]
    result = sealed(5, places=places)
    answer = judge(result.data)
    assert answer.verdict == "VALID"


def test_only_the_right_key_and_certificate_use_a_seal():
    key = sm2().open_key(signer().private_key)
    stranger = pki().signers["玉山县消防救援大队"]
    assert refusal(lambda: prepare_seal(sm2(), b"rubbish", signer().certificate, key)) is SEAL_MALFORMED
    assert refusal(lambda: prepare_seal(sm2(), seal_der(), stranger.certificate, key)) is SEAL_NOT_USABLE
    other = sm2().open_key(stranger.private_key)
    assert refusal(lambda: prepare_seal(sm2(), seal_der(), signer().certificate, other)) is SEAL_NOT_USABLE
    ecdsa = suites().by_signature(ECDSA_WITH_SHA256)
    assert refusal(lambda: prepare_seal(ecdsa, seal_der(), signer().certificate, key)) is SEAL_NOT_USABLE


@pytest.mark.parametrize(
    "wrong",
    [{"valid_until": NOW - timedelta(days=200)}, {"certificates": ()}, {"certificates": (b"x",)}],
)
def test_seals_that_could_never_be_used_are_not_made(wrong):
    assert refusal(lambda: make(seal_fields(**wrong))) is SEAL_NOT_USABLE


def test_a_maker_certificate_of_another_key_makes_no_seal():
    key = sm2().open_key(signer().private_key)
    assert refusal(lambda: make_seal(sm2(), key, pki().maker.certificate, seal_fields())) is SEAL_NOT_USABLE


def test_the_seal_reads_back_as_it_was_made():
    seal = read_seal(seal_der())
    assert (seal.generation, seal.seal_id, seal.name) == (4, SEAL_ID, f"{AUTHORITY}电子印章")
    assert seal.picture == seal_fields().picture
    assert seal.maker_certificate == pki().maker.certificate


def test_paths_with_special_characters_survive():
    files = ofd_files()
    files["Doc_0/Attachs/a&b'证照.json"] = files.pop("Doc_0/Attachs/data.json")
    text = files["Doc_0/Attachs/Attachments.xml"].decode().replace("data.json", "a&amp;b'证照.json")
    files["Doc_0/Attachs/Attachments.xml"] = text.encode()
    assert judge(seal_document(pack(files), seal_in_use(), [PLACE], NOW).data).verdict == "VALID"
    assert replace(PLACE, page=1) == PLACE
