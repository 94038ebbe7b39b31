"""Mutated seals, signatures, packages, XML and DER: an answer or a declared refusal, in time and in little memory."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.seal.domain import der
from services.seal.domain.certificates import CertificateError, read_certificate, read_crl
from services.seal.domain.imprint import read_upload
from services.seal.domain.placing import At, AtKeyword, plan_placements
from services.seal.domain.sealing import Protect, prepare_seal, seal_document
from services.seal.domain.structures import StructureError, read_seal, read_sealed_value
from services.seal.domain.timestamps import judge_token
from services.seal.domain.verification import Verdict, verify_seal
from tests.unit.seal.bounds import DOCUMENT, FILES, answered, bounded, refused_or_done
from tests.unit.seal.sealing_room import (
    NOW,
    PLACE,
    crls,
    evidence,
    pack,
    picture,
    seal_der,
    seal_in_use,
    signer,
    sm2,
)

FUZZED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
VALUE = FILES["Doc_0/Signs/Sign_0/SignedValue.dat"]
XML = sorted(name for name in FILES if name.endswith(".xml"))
INTERESTING = [
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\x30\x80",
    b"\x30\x84\xff\xff\xff\xff",
    b"\xa0\x00",
    b"\x05\x00",
    b"\x3f",
]
MARKUP = [
    b"<", b">", b"&", b"&#0;", b"&x;", b"<!DOCTYPE x>", b"<!--", b"-->", b"<?x?>", b"<![CDATA[", b'"', b"../", b"/",
    b"\x00", b"1e999", b"nan", b"-1", b"0 0 0 0", b" " * 50, b"<x>" * 300, b"g 99999999 1", b"\xff\xfe", b"xmlns=''",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, seed: bytes, tokens: list[bytes]) -> bytes:
    """A seed with one to four of: bytes replaced, put in, taken out, doubled, a bit flipped, the end cut."""
    data = seed
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        end = min(len(data), at + draw(st.integers(0, 24)))
        piece = draw(st.sampled_from(tokens) | st.binary(max_size=8))
        match draw(st.integers(0, 5)):
            case 0:
                data = data[:at] + piece + data[end:]
            case 1:
                data = data[:at] + piece + data[at:]
            case 2:
                data = data[:at] + data[end:]
            case 3:
                data = data[:end] + data[at:end] * draw(st.integers(1, 40)) + data[end:]
            case 4:
                data = (
                    data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
                    if data
                    else data
                )
            case _:
                data = data[:at]
    return data


@FUZZED
@given(mutated(VALUE, INTERESTING))
def test_signatures(data: bytes):
    with bounded(), suppress(StructureError):
        read_sealed_value(data)
    answered(pack(FILES | {"Doc_0/Signs/Sign_0/SignedValue.dat": data}))


@FUZZED
@given(mutated(seal_der(), INTERESTING))
def test_seals(data: bytes):
    with bounded():
        report = verify_seal(data, NOW, evidence())
        try:
            read_seal(data)
        except StructureError:
            assert report.verdict is Verdict.INVALID
    assert data == seal_der() or report.verdict is not Verdict.VALID
    refused_or_done(lambda: prepare_seal(sm2(), data, signer().certificate, seal_in_use().key))


@FUZZED
@given(
    mutated(DOCUMENT, [b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\xff\xff\xff\xff", b"../", b"\x08\x08"])
)
def test_packages(data: bytes):
    answered(data)
    refused_or_done(lambda: seal_document(data, seal_in_use(), [PLACE], NOW, mode=Protect.CONTINUE))


@FUZZED
@given(st.sampled_from(XML), st.data())
def test_the_xml_of_every_member(name: str, data: st.DataObject):
    content = data.draw(mutated(FILES[name], MARKUP))
    document = pack(FILES | {name: content})
    answered(document)
    refused_or_done(lambda: seal_document(document, seal_in_use(), [PLACE], NOW, mode=Protect.CONTINUE))
    refused_or_done(lambda: plan_placements(document, [At(1, 10, 10), AtKeyword("licence", None)], 42, 42))


@FUZZED
@given(
    st.recursive(st.binary(max_size=20), lambda inner: st.lists(inner, max_size=4), max_leaves=30),
    st.integers(0, 255),
)
def test_der_of_any_shape(shape: object, tag: int):
    def write(node: object) -> bytes:
        if isinstance(node, bytes):
            return der.write(tag & 0xDF, node)
        assert isinstance(node, list)
        return der.write(0x30, b"".join(map(write, node)))

    data = write(shape)
    with bounded():
        for read in (der.check, read_seal, read_sealed_value, read_certificate, read_crl):
            try:
                read(data)
            except (der.DerError, StructureError, CertificateError):
                continue
        judge_token(data, b"x", evidence().timestamp_trust)


@FUZZED
@given(mutated(signer().certificate, INTERESTING), mutated(crls()[0], INTERESTING))
def test_certificates_and_lists(certificate: bytes, crl: bytes):
    with bounded():
        for read, data in ((read_certificate, certificate), (read_crl, crl)):
            try:
                read(data)
            except CertificateError:
                continue


@FUZZED
@given(
    mutated(
        picture().data,
        [b"IDAT", b"IHDR", b"PLTE", b"tRNS", b"IEND", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"],
    )
)
def test_uploaded_pictures(data: bytes):
    refused_or_done(lambda: read_upload(data, 42, 42))
