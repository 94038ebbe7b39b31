"""Several seals on one document: ids, what each protects, what closes it, and what removing one leaves behind."""

from __future__ import annotations

import base64
from functools import lru_cache

import pytest
from lxml import etree

from chassis.errors import Fault
from services.seal.domain import ofd
from services.seal.domain.sealing import (
    OFD_ALREADY_SEALED,
    OFD_SIGNATURE_BROKEN,
    OFD_TOO_MANY_SIGNATURES,
    Placement,
    Protect,
    prepare_seal,
    seal_document,
)
from services.seal.domain.verification import verify_document
from tests.unit.seal.sealing_room import (
    NOW,
    PLACE,
    evidence,
    judge,
    make,
    ofd_files,
    outcome,
    pack,
    pki,
    seal_fields,
    seal_in_use,
    sm2,
    unpack,
)

LISTING = "Doc_0/Signs/Signatures.xml"
OTHER_PLACE = Placement(1, 20.0, 220.0, 42.0, 42.0)


def sign(number: int, part: str = "Signature.xml") -> str:
    return f"Doc_0/Signs/Sign_{number}/{part}"


@lru_cache(maxsize=1)
def other_seal():
    who = pki().signers["玉山县消防救援大队"]
    der = make(seal_fields(seal_id="other", certificates=(who.certificate,)))
    return prepare_seal(sm2(), der, who.certificate, sm2().open_key(who.private_key))


def add(document: bytes, mode: Protect, places=(PLACE,), seal=None):
    return seal_document(document, seal or seal_in_use(), list(places), NOW, mode=mode)


@pytest.fixture(scope="module")
def one() -> bytes:
    return add(pack(ofd_files()), Protect.CONTINUE).data


@pytest.fixture(scope="module")
def two(one: bytes) -> bytes:
    return add(one, Protect.CONTINUE, [OTHER_PLACE, PLACE], other_seal()).data


@pytest.fixture(scope="module")
def closed(two: bytes) -> bytes:
    return add(two, Protect.WHOLE).data


def ids(document: bytes) -> tuple[str, list[str], list[str]]:
    files = unpack(document)
    listing = etree.fromstring(files[LISTING])
    entries = [element.get("ID") for element in listing.iter("{*}Signature")]
    paths = [element.get("BaseLoc").lstrip("/") for element in listing.iter("{*}Signature")]
    stamps = [
        stamp.get("ID") for path in paths for stamp in etree.fromstring(files[path]).iter("{*}StampAnnot")
    ]
    return listing.findtext("{*}MaxSignId"), entries, stamps


def referenced(document: bytes, number: int) -> set[str]:
    root = etree.fromstring(unpack(document)[sign(number)])
    return {element.get("FileRef").lstrip("/") for element in root.iter("{*}Reference")}


def refusal(action) -> Fault:
    with pytest.raises(Fault) as raised:
        action()
    return raised.value


def test_one_two_and_three_seals_are_valid_each(one, two, closed):
    for document, count in ((one, 1), (two, 2), (closed, 3)):
        report = verify_document(document, evidence(expected_signatures=count))
        assert report.verdict.value == "VALID", [outcome(report, n).failed() for n in range(count)]
        assert len(report.signatures) == count


def test_ids_count_signatures_and_stamps_alike(one, two, closed):
    assert ids(one) == ("2", ["1"], ["2"])
    assert ids(two) == ("5", ["1", "3"], ["2", "4", "5"])
    assert ids(closed) == ("7", ["1", "3", "6"], ["2", "4", "5", "7"])


def test_ids_of_others_are_never_taken_again(one):
    files = unpack(one)
    files[LISTING] = files[LISTING].replace(b'ID="1"', b'ID="s041"').replace(b">2<", b">x<")
    assert ids(add(pack(files), Protect.CONTINUE).data)[:2] == ("43", ["s041", "42"])


def test_the_root_names_the_list_before_the_first_seal_and_never_changes(one, two, closed):
    roots = {unpack(document)["OFD.xml"] for document in (one, two, closed)}
    assert len(roots) == 1
    assert b"<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures>" in roots.pop()


def test_each_signature_lists_all_that_came_before_and_only_the_last_the_list(one, two, closed):
    first = {sign(0), sign(0, "SignedValue.dat"), sign(0, "Seal.esl")}
    assert LISTING not in referenced(one, 0)
    assert first <= referenced(two, 1)
    assert LISTING not in referenced(two, 1)
    assert unpack(closed).keys() - referenced(closed, 2) == {sign(2), sign(2, "SignedValue.dat")}
    assert referenced(closed, 2) >= first | {LISTING}


def test_how_many_signatures_there_are_is_told_for_the_register(one, two):
    result = add(two, Protect.WHOLE)
    assert (result.signature_count, result.signature_path) == (3, sign(2))
    assert add(one, Protect.CONTINUE).signature_count == 2


def test_no_seal_follows_one_in_whole_mode(closed):
    for document in (closed, add(pack(ofd_files()), Protect.WHOLE).data):
        for mode in Protect:
            assert (
                refusal(lambda document=document, mode=mode: add(document, mode)).reason is OFD_ALREADY_SEALED
            )


@pytest.mark.parametrize(
    ("name", "check", "why"),
    [
        ("Doc_0/Res/hei.ttf", "digests", "DIGEST"),
        (sign(0, "Seal.esl"), "digests", "DIGEST"),
        (sign(0), "digests", "DATA_HASH"),
        (sign(0, "SignedValue.dat"), "signature", "SIGNATURE"),
    ],
)
def test_no_seal_stands_on_a_broken_one(one, name, check, why):
    files = unpack(one)
    if name.endswith("Signature.xml"):
        files[name] = files[name].replace(b'Boundary="130', b'Boundary="120')
    else:
        files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    fault = refusal(lambda: add(pack(files), Protect.CONTINUE))
    assert (fault.reason, fault.metadata) == (OFD_SIGNATURE_BROKEN, {"check": check, "why": why})


def test_no_seal_follows_where_a_protected_file_is_missing(one):
    files = unpack(one)
    del files[sign(0, "Seal.esl")]
    assert refusal(lambda: add(pack(files), Protect.CONTINUE)).code == "OFD_REFUSED"


def test_the_limit_of_signatures_is_held(one, monkeypatch):
    from services.seal.domain.sealing import opening

    assert ofd.LIMITS.signatures == 100
    monkeypatch.setattr(opening.ofd, "LIMITS", ofd.Limits(signatures=1))
    assert refusal(lambda: add(one, Protect.CONTINUE)).reason is OFD_TOO_MANY_SIGNATURES


def without(document: bytes, number: int) -> bytes:
    files = {name: data for name, data in unpack(document).items() if f"Sign_{number}/" not in name}
    root = etree.fromstring(files[LISTING])
    for entry in root.findall("{*}Signature"):
        if f"Sign_{number}/" in entry.get("BaseLoc"):
            root.remove(entry)
    files[LISTING] = etree.tostring(root)
    return pack(files)


def test_removing_the_first_seal_breaks_the_second(two):
    report = verify_document(without(two, 0), evidence())
    assert report.verdict.value == "INVALID"
    assert outcome(report).failed() == {"references": "REFERENCE"}


def test_removing_the_last_seal_shows_in_the_register_alone_until_the_document_is_closed(two, closed):
    assert judge(without(two, 1)).verdict == "VALID"
    answer = judge(without(two, 1), evidence(expected_signatures=2))
    assert answer.failed() == {"container": "SIGNATURES_REMOVED"}
    for number in (0, 1):
        report = verify_document(without(closed, number), evidence())
        assert outcome(report, 1).failed()["digests"] == "DIGEST"


def test_a_seal_forced_onto_a_closed_document_breaks_the_closing_one(two, closed):
    files, extra = unpack(closed), unpack(add(two, Protect.CONTINUE).data)
    files |= {name.replace("Sign_2", "Sign_3"): data for name, data in extra.items() if "Sign_2" in name}
    entry = f'<ofd:Signature ID="90" Type="Seal" BaseLoc="/{sign(3)}"/></ofd:Signatures>'
    files[LISTING] = files[LISTING].replace(b"</ofd:Signatures>", entry.encode())
    report = verify_document(pack(files), evidence())
    assert outcome(report, 2).failed()["digests"] == "DIGEST"


def test_a_signature_that_leaves_an_earlier_one_unprotected_is_found(one):
    files = unpack(one)
    parallel = add(pack(ofd_files()), Protect.CONTINUE, seal=other_seal())
    moved = {
        name.replace("Sign_0", "Sign_1"): data
        for name, data in unpack(parallel.data).items()
        if "Sign_0" in name and not name.endswith("Signature.xml")
    }
    xml = unpack(parallel.data)[sign(0)].replace(b"Sign_0", b"Sign_1")
    entry = f'<ofd:Signature ID="9" Type="Seal" BaseLoc="/{sign(1)}"/></ofd:Signatures>'
    files[LISTING] = files[LISTING].replace(b"</ofd:Signatures>", entry.encode())
    from services.seal.domain.structures import signature_tbs, signature_value

    seal = other_seal()
    tbs = signature_tbs(seal.seal.raw, NOW, sm2().digest(xml), f"/{sign(1)}")
    value = signature_value(tbs, seal.certificate, sm2().signature_oid, seal.key.sign(tbs))
    document = pack(files | moved | {sign(1): xml, sign(1, "SignedValue.dat"): value})
    report = verify_document(document, evidence())
    assert [outcome(report, n).failed() for n in (0, 1)] == [{"coverage": "COVERAGE"}] * 2
    abroad = verify_document(document, evidence(own_makers=frozenset()))
    assert abroad.verdict.value == "INDETERMINATE"


def test_a_file_slipped_in_between_two_seals_belongs_to_nothing_for_the_first(one, monkeypatch):
    files, name, why = unpack(one), "slipped.bin", "UNREFERENCED_MEMBER"
    slipped = pack(files | {f"Doc_0/{name}": b"x"})
    fault = refusal(lambda: add(slipped, Protect.CONTINUE))
    assert (fault.reason, fault.metadata) == (OFD_SIGNATURE_BROKEN, {"check": "coverage", "why": why})
    from services.seal.domain.sealing import opening

    monkeypatch.setattr(opening, "_refuse_broken", lambda *_: None)
    report = verify_document(add(slipped, Protect.CONTINUE).data, evidence())
    assert outcome(report, 0).failed() == {"coverage": why}
    assert outcome(report, 1).failed() == {}


def test_the_list_may_lie_beside_the_document_as_some_writers_have_it(one):
    files = unpack(one)
    listing = files.pop(LISTING)
    files["OFD.xml"] = files["OFD.xml"].replace(b"/Doc_0/Signs/Signatures.xml", b"/Doc_0/Signatures.xml")
    xml = files[sign(0)]
    before, after = (
        base64.b64encode(sm2().digest(data)) for data in (unpack(one)["OFD.xml"], files["OFD.xml"])
    )
    from tests.unit.seal.test_tampering import resigned

    moved = unpack(resigned(xml.replace(before, after), files | {"Doc_0/Signatures.xml": listing}))
    document = add(pack(moved), Protect.CONTINUE)
    assert document.signature_path == "Doc_0/Sign_0/Signature.xml"
    assert verify_document(document.data, evidence()).verdict.value == "VALID"
