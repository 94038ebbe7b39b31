"""Our own sealed documents, changed: each change is found, and by the right check."""

from __future__ import annotations

import base64
import re

import pytest

from services.seal.domain.ofd import new_member, write_package
from services.seal.domain.structures import signature_tbs, signature_value
from services.seal.domain.suite import SM2_WITH_SM3
from tests.unit.seal.sealing_room import (
    AUTHORITY,
    NOW,
    PLACE,
    evidence,
    judge,
    make,
    ofd_files,
    pack,
    pki,
    seal_fields,
    seal_in_use,
    sealed,
    sealed_once,
    signer,
    sm2,
    unpack,
)  # fmt: skip

SIGNATURE = "Doc_0/Signs/Sign_0/Signature.xml"
VALUE = "Doc_0/Signs/Sign_0/SignedValue.dat"
SEAL = "Doc_0/Signs/Sign_0/Seal.esl"
LISTING = "Doc_0/Signs/Signatures.xml"


def changed(**replacements: bytes) -> bytes:
    return pack(
        unpack(sealed_once()) | {name.replace("__", "/"): data for name, data in replacements.items()}
    )


def with_files(**files: bytes | None):
    found = unpack(sealed_once())
    for name, data in files.items():
        if data is None:
            del found[name]
        else:
            found[name] = data
    return judge(pack(found))


def resigned(xml: bytes, files: dict[str, bytes], seal: bytes | None = None, who=None, at=NOW) -> bytes:
    """Return the package with another Signature.xml and a fresh good signature over it."""
    who = who or signer()
    tbs = signature_tbs(seal or files[SEAL], at, sm2().digest(xml), f"/{SIGNATURE}")
    key = sm2().open_key(who.private_key)
    value = signature_value(tbs, who.certificate, SM2_WITH_SM3, key.sign(tbs))
    return pack(files | {SIGNATURE: xml, VALUE: value})


def test_the_sound_twin_is_valid():
    answer = judge(sealed_once())
    assert answer.verdict == "VALID"
    assert answer.notes == ()
    assert {result for result, _ in answer.checks.values()} == {"valid", "not_applicable"}


PROTECTED = sorted(set(ofd_files()) | {LISTING, SEAL})


@pytest.mark.parametrize("name", PROTECTED)
def test_one_bit_changed_in_a_protected_member_is_found(name):
    data = bytearray(unpack(sealed_once())[name])
    for place in (len(data) // 3, len(data) // 2, len(data) - 3):
        copy = bytearray(data)
        copy[place] ^= 0x01
        answer = judge(pack(unpack(sealed_once()) | {name: bytes(copy)}))
        assert answer.verdict == "INVALID"
        failed = answer.failed()
        assert failed.get("digests") == "DIGEST" or failed.get("container") == "XML", failed


@pytest.mark.parametrize(
    "name", ["Doc_0/Res/hei.ttf", "Doc_0/Attachs/data.json", "Doc_0/Pages/Page_0/Content.xml", SEAL]
)
def test_changed_content_fails_the_digests_and_names_the_member(name):
    from services.seal.domain.verification import CheckName, verify_document

    data = unpack(sealed_once())[name].replace(b"licence", b"license").replace(b"real", b"true")
    data = data if name != SEAL else data[:-1] + bytes([data[-1] ^ 1])
    report = verify_document(pack(unpack(sealed_once()) | {name: data}), evidence())
    check = report.signatures[0].check(CheckName.DIGESTS)
    assert (check.reason, check.detail) == ("DIGEST", name)


@pytest.mark.parametrize("share", range(1, 40))
def test_one_bit_changed_in_the_signature_file_or_value_is_found(share):
    files = unpack(sealed_once())
    for name in (SIGNATURE, VALUE):
        data = bytearray(files[name])
        data[len(data) * share // 40] ^= 0x01
        answer = judge(pack(files | {name: bytes(data)}))
        assert answer.verdict == "INVALID", (name, share)
        allowed = {"container", "references", "digests", "signature", "certlist", "seal_signature", "seal_validity",
                   "maker_chain", "signer_chain", "coverage", "timestamp"}  # fmt: skip
        assert answer.failed().keys() <= allowed


def test_a_moved_stamp_belongs_to_another_signature():
    xml = unpack(sealed_once())[SIGNATURE].replace(b'Boundary="130 220', b'Boundary="120 220')
    answer = with_files(**{SIGNATURE: xml})
    assert answer.failed() == {"digests": "DATA_HASH"}


def test_shortened_references_fail_both_ways():
    xml = re.sub(
        rb'<ofd:Reference FileRef="/Doc_0/Res/hei.ttf">.*?</ofd:Reference>',
        b"",
        unpack(sealed_once())[SIGNATURE],
    )
    answer = with_files(**{SIGNATURE: xml})
    assert answer.failed() == {"digests": "DATA_HASH", "coverage": "COVERAGE"}


def test_a_signed_value_of_another_document_is_found():
    other = unpack(sealed(2).data)[VALUE]
    assert with_files(**{VALUE: other}).failed() == {"digests": "DATA_HASH"}


def test_a_file_that_belongs_to_nothing_is_found():
    assert with_files(**{"Doc_0/stray.xml": b"<x/>"}).failed() == {"coverage": "UNREFERENCED_MEMBER"}
    assert with_files(**{"Doc_0/Signs/Sign_0/private.bin": b"x"}).failed() == {
        "coverage": "UNREFERENCED_MEMBER"
    }
    foreign = evidence(own_makers=frozenset())
    files = unpack(sealed_once()) | {"Doc_0/Signs/Sign_0/private.bin": b"x"}
    answer = judge(pack(files), foreign)
    assert answer.failed() == {}
    assert any("private.bin" in note for note in answer.notes)


def test_content_outside_the_references_is_invalid_at_home_and_open_abroad():
    files = unpack(sealed_once())
    xml = re.sub(rb'<ofd:Reference FileRef="/OFD.xml">.*?</ofd:Reference>', b"", files[SIGNATURE])
    document = resigned(xml, files)
    assert judge(document).failed() == {"coverage": "COVERAGE"}
    answer = judge(document, evidence(own_makers=frozenset()))
    assert (answer.verdict, answer.checks["coverage"]) == ("INDETERMINATE", ("indeterminate", "COVERAGE"))


@pytest.mark.parametrize(
    ("method", "result"),
    [
        (None, ("invalid", "WEAK_DIGEST")),
        ("MD5", ("invalid", "WEAK_DIGEST")),
        ("SHA1", ("invalid", "WEAK_DIGEST")),
        ("SHA256", ("indeterminate", "OTHER_DIGEST")),
        ("WHIRLPOOL", ("indeterminate", "OTHER_DIGEST")),
        ("SM3", ("valid", "HOLDS")),
        ("1.2.156.10197.1.401.2", ("valid", "HOLDS")),
    ],
)
def test_the_digest_method_is_judged(method, result):
    files = unpack(sealed_once())
    attribute = b"" if method is None else f' CheckMethod="{method}"'.encode()
    xml = files[SIGNATURE].replace(b' CheckMethod="1.2.156.10197.1.401"', attribute)
    answer = judge(resigned(xml, files))
    assert answer.checks["references"] == result
    assert (answer.verdict == "VALID") == (result[0] == "valid")


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace(b"/Doc_0/Res/hei.ttf", b"/Doc_0/Res/none.ttf"),
        lambda xml: xml.replace(b'FileRef="/Doc_0/Res/hei.ttf"', b'FileRef="/OFD.xml"'),
        lambda xml: re.sub(rb"<ofd:CheckValue>.{44}</", b"<ofd:CheckValue>????</", xml, count=1),
        lambda xml: re.sub(
            rb"<ofd:CheckValue>.{44}</",
            b"<ofd:CheckValue>" + base64.b64encode(bytes(31)) + b"</",
            xml,
            count=1,
        ),
    ],
    ids=["missing", "twice", "not base64", "short"],
)
def test_references_must_name_one_file_with_a_proper_value(change):
    files = unpack(sealed_once())
    answer = judge(resigned(change(files[SIGNATURE]), files))
    assert answer.checks["references"] == ("invalid", "REFERENCE")


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace(b'PageRef="1"', b'PageRef="7"'),
        lambda xml: xml.replace(b'Boundary="130 220', b'Boundary="190 220'),
        lambda xml: xml.replace(b'42 42"/>', b'42 42" Clip="30 0 20 42"/>'),
    ],
    ids=["no page", "off the page", "clip outside the box"],
)
def test_a_stamp_must_lie_on_its_page(change):
    files = unpack(sealed_once())
    document = resigned(change(files[SIGNATURE]), files)
    assert judge(document).failed() == {"references": "STAMP"}
    assert judge(document, evidence(own_makers=frozenset())).failed() == {}


def test_comments_do_not_cut_a_path_short():
    files = unpack(sealed_once())
    xml = files[SIGNATURE].replace(b"SignedValue.dat", b"Signed<!-- x -->Value.dat")
    assert judge(resigned(xml, files)).verdict == "VALID"


def test_a_copied_seal_used_with_another_certificate_is_found():
    files = unpack(sealed_once())
    stranger = pki().signers["玉山县消防救援大队"]
    answer = judge(resigned(files[SIGNATURE], files, who=stranger))
    assert answer.failed() == {"certlist": "SIGNER_NOT_IN_SEAL"}


def test_a_seal_file_other_than_the_embedded_seal_is_found():
    files = unpack(sealed_once())
    other = make(seal_fields(seal_id="other"))
    digest = base64.b64encode(sm2().digest(other))
    xml = files[SIGNATURE].replace(base64.b64encode(sm2().digest(files[SEAL])), digest)
    answer = judge(resigned(xml, files | {SEAL: other}, seal=files[SEAL]))
    assert answer.failed() == {"certlist": "SEAL_MISMATCH"}


def test_other_signature_kinds_are_not_taken_for_seals():
    bare = seal_in_use().key.sign(b"x")
    assert with_files(**{VALUE: bare}).checks["signature"] == ("indeterminate", "NOT_A_SEAL")
    message = bytes.fromhex("300d060a2a811ccf550601040202a000".replace("300d", "300e"))
    assert with_files(**{VALUE: message}).checks["signature"] == ("indeterminate", "NOT_A_SEAL")
    assert with_files(**{VALUE: b"rubbish"}).checks["signature"] == ("invalid", "FORMAT")
    trailing = unpack(sealed_once())[VALUE] + b"\0"
    assert with_files(**{VALUE: trailing}).checks["signature"] == ("invalid", "FORMAT")


def test_a_mistyped_algorithm_is_wrong_and_an_unknown_one_is_open():
    files = unpack(sealed_once())
    tbs = signature_tbs(files[SEAL], NOW, sm2().digest(files[SIGNATURE]), f"/{SIGNATURE}")
    signature = seal_in_use().key.sign(tbs)
    for oid, expected in (
        ("1.2.156.10197.501", ("invalid", "ALGORITHM_MISMATCH")),
        ("1.2.840.10045.4.3.2", ("invalid", "ALGORITHM_MISMATCH")),
        ("1.2.840.113549.1.1.11", ("indeterminate", "SUITE")),
    ):
        value = signature_value(tbs, signer().certificate, oid, signature)
        assert with_files(**{VALUE: value}).checks["signature"] == expected


@pytest.mark.parametrize("size", [31, 33])
def test_a_data_hash_of_another_length_is_found(size):
    files = unpack(sealed_once())
    tbs = signature_tbs(files[SEAL], NOW, (sm2().digest(files[SIGNATURE]) + b"x")[:size], f"/{SIGNATURE}")
    value = signature_value(tbs, signer().certificate, SM2_WITH_SM3, seal_in_use().key.sign(tbs))
    assert with_files(**{VALUE: value}).failed() == {"digests": "DATA_HASH"}


def test_removing_the_signatures_is_found_where_the_ledger_knows_of_them():
    unsigned = pack(ofd_files())
    assert judge(unsigned).verdict == "UNSIGNED"
    answer = judge(unsigned, evidence(expected_signatures=1))
    assert (answer.verdict, answer.checks["container"]) == ("INVALID", ("invalid", "SIGNATURES_REMOVED"))
    assert judge(sealed_once(), evidence(expected_signatures=2)).failed() == {
        "container": "SIGNATURES_REMOVED"
    }


def test_a_second_document_body_is_refused_at_home():
    files = unpack(sealed_once())
    body = re.search(rb"<ofd:DocBody>.*</ofd:DocBody>", files["OFD.xml"]).group()
    plain = re.sub(rb"<ofd:Signatures>.*?</ofd:Signatures>", b"", body)
    files["OFD.xml"] = files["OFD.xml"].replace(body, body + plain)
    assert judge(pack(files)).failed()["container"] in {"SECOND_BODY", "XML"}


def test_a_second_seal_added_to_a_whole_mode_document_breaks_the_first():
    files = unpack(sealed_once())
    entry = f'<ofd:Signature ID="9" Type="Seal" BaseLoc="/{SIGNATURE.replace("Sign_0", "Sign_1")}"/></ofd:Signatures>'
    files[LISTING] = files[LISTING].replace(b"</ofd:Signatures>", entry.encode())
    files |= {name.replace("Sign_0", "Sign_1"): files[name] for name in (SIGNATURE, VALUE, SEAL)}
    assert judge(pack(files)).failed()["digests"] == "DIGEST"


def test_an_unprotected_type_does_not_decide_the_kind():
    files = unpack(sealed_once())
    files[LISTING] = files[LISTING].replace(b'Type="Seal"', b'Type="Sign"')
    answer = judge(pack(files))
    assert answer.failed() == {"digests": "DIGEST"}
    assert answer.checks["signature"] == ("valid", "HOLDS")


def test_the_order_of_members_and_their_compression_do_not_matter():
    members = [new_member(name, data) for name, data in reversed(unpack(sealed_once()).items())]
    assert judge(write_package(members)).verdict == "VALID"
    assert PLACE.page == 1
    assert AUTHORITY in seal_in_use().seal.name
