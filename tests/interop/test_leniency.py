"""Forged documents that ofdrw calls valid and we do not: each names what a verifier must look at beyond digests."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.seal.domain import der
from services.seal.domain.certificates import Profile
from services.seal.domain.certificates.building import SIGNER
from services.seal.domain.pki import Credential, certify, make_crl
from services.seal.domain.structures import read_sealed_value, signature_value, write_seal, write_seal_info
from services.seal.domain.suite import SM2_WITH_SM3
from services.seal.domain.verification import SealState
from tests.interop.forging import (
    DOCUMENT,
    LISTING,
    MD5,
    ROOT,
    SEAL,
    SHA1,
    SIGNATURE,
    VALUE,
    files,
    resealed,
    without_reference,
)
from tests.interop.program import Program
from tests.unit.seal.sealing_room import (
    AUTHORITY,
    NOW,
    evidence,
    judge,
    make,
    ofd_files,
    pack,
    pki,
    seal_fields,
    sealed_once,
    signer,
    sm2,
)

DAY = timedelta(days=1)
PAGE = "Doc_0/Pages/Page_0/Content.xml"
VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "eseal"


@dataclass(frozen=True)
class Forgery:
    """What is forged, which check must find it for which reason, and what the verifier knows besides."""

    forge: Callable[[], bytes]
    check: str
    reason: str
    known: Callable[[], dict[str, Any]] = field(default=dict)


def unreferenced() -> bytes:
    return pack(files() | {"Doc_0/Pages/Page_0/hidden.xml": b"<hidden/>"})


def twice() -> bytes:
    """The page stands twice: first altered, then as it was signed."""
    members = files()
    altered = members[PAGE].replace(b"plain words", b"other words")
    assert altered != members[PAGE]
    made = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w") as archive:
        warnings.simplefilter("ignore", UserWarning)
        for name, data in members.items():
            if name == PAGE:
                archive.writestr(name, altered)
            archive.writestr(name, data)
    return made.getvalue()


def dangling() -> dict[str, bytes]:
    members = files()
    named = members[DOCUMENT].replace(
        b"<ofd:Attachments>", b"<ofd:Annotations>Annotations.xml</ofd:Annotations><ofd:Attachments>"
    )
    return members | {DOCUMENT: named}


def dangling_filled() -> bytes:
    """A file is put where Document.xml named one that was not there when the document was sealed."""
    with zipfile.ZipFile(io.BytesIO(resealed(dangling()))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    page = b'<ofd:Annotations xmlns:ofd="http://www.ofdspec.org/2016"/>'
    return pack(members | {"Doc_0/Annotations.xml": page})


def root_unprotected() -> bytes:
    """OFD.xml is left out of the references, then led to another document."""
    members = files()
    document = resealed(members | {SIGNATURE: without_reference(members[SIGNATURE], ROOT)})
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    other = held[DOCUMENT].replace(b"0 0 210 297", b"0 0 297 210")
    led = held[ROOT].replace(b"Doc_0/Document.xml", b"Doc_0/Other.xml")
    return pack(held | {ROOT: led, "Doc_0/Other.xml": other})


def second_body() -> bytes:
    members = files()
    text = members[ROOT]
    start, end = text.index(b"<ofd:DocBody>"), text.index(b"</ofd:OFD>")
    body = re.sub(rb"<ofd:Signatures>.*?</ofd:Signatures>", b"", text[start:end]).replace(b"Doc_0", b"Doc_1")
    plain = {name.replace("Doc_0", "Doc_1"): data for name, data in ofd_files().items() if name != ROOT}
    plain["Doc_1/Document.xml"] = plain["Doc_1/Document.xml"].replace(b'Page ID="1"', b'Page ID="11"')
    return resealed(members | plain | {ROOT: text[:end] + body + text[end:]})


def stranger() -> Credential:
    return pki().signers["玉山县消防救援大队"]


def copied_seal() -> bytes:
    return resealed(files(), who=stranger())


def with_seal(seal: bytes, who: Credential | None = None, at=NOW) -> bytes:
    return resealed(files() | {SEAL: seal}, who=who, at=at)


def broken_seal_signature() -> bytes:
    """The real seal's picture and number, dated longer, under the maker's name but without the maker's key."""
    info = write_seal_info(seal_fields(valid_until=NOW + 3000 * DAY))
    signature = sm2().open_key(stranger().private_key).sign(info)
    return with_seal(write_seal(info, pki().maker.certificate, SM2_WITH_SM3, signature))


def maker_without_right() -> bytes:
    """The seal is made by an end certificate that an end certificate issued."""
    forger = certify(sm2(), stranger(), "制章", SIGNER, NOW - 95 * DAY, NOW + 900 * DAY)
    return with_seal(make(maker=forger))


def signer_of_no_authority() -> bytes:
    """The signer's certificate was issued by an end certificate."""
    who = certify(sm2(), stranger(), AUTHORITY, SIGNER, NOW - 95 * DAY, NOW + 900 * DAY)
    return with_seal(make(seal_fields(certificates=(who.certificate,))), who)


def stranger_known() -> dict[str, Any]:
    return {"intermediates": (*pki().intermediates, stranger().certificate)}


def signer_expired() -> bytes:
    who = certify(sm2(), pki().signer_ca, AUTHORITY, SIGNER, NOW - 95 * DAY, NOW - DAY)
    return with_seal(make(seal_fields(certificates=(who.certificate,))), who)


def seal_expired() -> bytes:
    return with_seal(make(seal_fields(valid_until=NOW - DAY)))


def seal_not_yet() -> bytes:
    return resealed(files(), at=NOW - 91 * DAY)


def nobody_listed() -> bytes:
    """The seal lists no certificate at all."""
    info = write_seal_info(seal_fields(certificates=()))
    maker = pki().maker
    signature = sm2().open_key(maker.private_key).sign(info)
    return with_seal(write_seal(info, maker.certificate, SM2_WITH_SM3, signature))


def revoked() -> dict[str, Any]:
    room = pki()
    gone = {signer().certificate: NOW - DAY}
    lists = [make_crl(sm2(), ca, {}, 3, NOW - DAY) for ca in (room.root, room.maker_ca)]
    return {"crls": (*lists, make_crl(sm2(), room.signer_ca, gone, 3, NOW - timedelta(hours=1)))}


def out_of_use() -> dict[str, Any]:
    return {"seal_status": lambda _seal_id, _at: SealState.REVOKED}


def no_token() -> bytes:
    """A CA's certificate stands where the token should."""
    return resealed(files(), timestamp=lambda _signature: pki().root.certificate)


def stamp_off_page() -> bytes:
    members = files()
    moved = members[SIGNATURE].replace(b'Boundary="130 220', b'Boundary="190 220')
    return resealed(members | {SIGNATURE: moved})


def mixed_versions() -> bytes:
    """TBS_Sign states version 5 around a seal of version 4."""
    value = read_sealed_value(files()[VALUE])
    assert value.tbs_raw.count(b"\x02\x01\x04", 0, 12) == 1
    tbs = value.tbs_raw.replace(b"\x02\x01\x04", b"\x02\x01\x05", 1)
    signature = sm2().open_key(signer().private_key).sign(tbs)
    return pack(files() | {VALUE: signature_value(tbs, signer().certificate, SM2_WITH_SM3, signature)})


def loose_encoding() -> bytes:
    """SignedValue.dat says its own length in more octets than it takes."""
    body = der.read(files()[VALUE]).body
    return pack(files() | {VALUE: b"\x30\x84" + len(body).to_bytes(4, "big") + body})


def with_doctype() -> bytes:
    members = files()
    head, rest = members[LISTING].split(b"?>", 1)
    return resealed(members | {LISTING: head + b'?><!DOCTYPE x [<!ENTITY a "b">]>' + rest})


def appended() -> bytes:
    return sealed_once() + b"trailing bytes"


FORGERIES = {
    "member that nothing names": Forgery(unreferenced, "coverage", "UNREFERENCED_MEMBER"),
    "member that stands twice": Forgery(twice, "container", "PACKAGE"),
    "dangling location filled": Forgery(dangling_filled, "coverage", "COVERAGE"),
    "entry file unprotected": Forgery(root_unprotected, "coverage", "COVERAGE"),
    "second document in the package": Forgery(second_body, "container", "SECOND_BODY"),
    "seal copied by another certificate": Forgery(copied_seal, "certlist", "SIGNER_NOT_IN_SEAL"),
    "seal without certificates": Forgery(nobody_listed, "certlist", "SIGNER_NOT_IN_SEAL"),
    "seal signed by another key": Forgery(broken_seal_signature, "seal_signature", "SEAL_SIGNATURE"),
    "seal of a maker without the right": Forgery(
        maker_without_right, "maker_chain", "MAKER_CERT", stranger_known
    ),
    "seal expired": Forgery(seal_expired, "seal_validity", "SEAL_VALIDITY"),
    "sealed before the seal was valid": Forgery(seal_not_yet, "seal_validity", "SEAL_VALIDITY"),
    "seal out of use": Forgery(sealed_once, "seal_status", "SEAL_NOT_ACTIVE", out_of_use),
    "signer expired": Forgery(signer_expired, "signer_chain", "SIGNER_EXPIRED"),
    "signer of no authority": Forgery(signer_of_no_authority, "signer_chain", "SIGNER_CERT", stranger_known),
    "signer revoked": Forgery(sealed_once, "revocation", "REVOKED", revoked),
    "sealed in the future": Forgery(sealed_once, "timestamp", "FUTURE", lambda: {"now": NOW - DAY}),
    "timestamp that is none": Forgery(no_token, "timestamp", "TIMESTAMP"),
    "digests by MD5": Forgery(lambda: resealed(files(), method=MD5), "references", "WEAK_DIGEST"),
    "digests by SHA-1": Forgery(lambda: resealed(files(), method=SHA1), "references", "WEAK_DIGEST"),
    "stamp off its page": Forgery(stamp_off_page, "references", "STAMP"),
    "two versions in one signature": Forgery(mixed_versions, "signature", "VERSION"),
    "length in too many octets": Forgery(loose_encoding, "signature", "FORMAT"),
    "document type declared": Forgery(with_doctype, "container", "XML"),
    "bytes after the package": Forgery(appended, "container", "PACKAGE"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_ofdrw_calls_valid_is_invalid_here_by_the_named_check(java: Program, name: str):
    forgery = FORGERIES[name]
    document = forgery.forge()
    assert java.ask("verify_ofd", document=document, generation=4) == {"verdict": "VALID", "why": ""}
    answer = judge(document, evidence(**forgery.known()))
    assert answer.verdict == "INVALID"
    assert answer.failed().get(forgery.check) == forgery.reason, answer.failed()


def test_the_sound_twins_are_valid_for_both(java: Program):
    for twin in (sealed_once(), resealed(files()), pack(files()), resealed(dangling())):
        assert java.ask("verify_ofd", document=twin, generation=4)["verdict"] == "VALID"
        assert judge(twin).verdict == "VALID"


def changed_page() -> bytes:
    members = files()
    return pack(members | {PAGE: members[PAGE].replace(b"plain words", b"other words")})


def moved_stamp() -> bytes:
    members = files()
    return pack(members | {SIGNATURE: members[SIGNATURE].replace(b'"130 220', b'"120 220')})


def foreign_value() -> bytes:
    with zipfile.ZipFile(io.BytesIO(resealed(dangling()))) as archive:
        return pack(files() | {VALUE: archive.read(VALUE)})


def other_seal_file() -> bytes:
    return pack(files() | {SEAL: make(seal_fields(seal_id="other"))})


def signer_for_encryption() -> bytes:
    usage = Profile(frozenset({"key_encipherment"}))
    who = certify(sm2(), pki().signer_ca, AUTHORITY, usage, NOW - 95 * DAY, NOW + 900 * DAY)
    return with_seal(make(seal_fields(certificates=(who.certificate,))), who)


def unsigned_value() -> bytes:
    data = bytearray(files()[VALUE])
    data[-1] ^= 1
    return pack(files() | {VALUE: bytes(data)})


BROKEN = [changed_page, moved_stamp, foreign_value, other_seal_file, unsigned_value, signer_for_encryption]


@pytest.mark.parametrize("forge", BROKEN)
def test_what_breaks_a_digest_or_the_signature_is_invalid_for_both(java: Program, forge):
    document = forge()
    assert java.ask("verify_ofd", document=document, generation=4)["verdict"] == "INVALID"
    assert judge(document).verdict == "INVALID"


def test_an_expired_vendor_document_shows_what_ofdrw_leaves_out(java: Program):
    if not VECTORS.is_dir():
        pytest.skip("the placed vectors are not beside this checkout")
    document = (VECTORS / "SESV4SignDoc.ofd").read_bytes()
    assert java.ask("verify_ofd", document=document, generation=4)["verdict"] == "VALID"
    failed = judge(document, evidence(anchors=(), crls=(), own_makers=frozenset())).failed()
    assert (failed["seal_validity"], failed["signer_chain"]) == ("SEAL_VALIDITY", "SIGNER_EXPIRED")
