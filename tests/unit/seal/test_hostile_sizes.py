"""Documents made to take for ever or to fill the memory: deep, long, many, and naming each other."""

from __future__ import annotations

import struct
import zlib

import pytest

from services.seal.domain import der, ofd
from services.seal.domain.certificates import CertificateError, read_certificate
from services.seal.domain.imprint import read_upload
from services.seal.domain.placing import AtKeyword, plan_placements
from services.seal.domain.structures import StructureError, read_seal, read_sealed_value
from services.seal.domain.verification import verify_seal
from tests.unit.seal.bounds import FILES, answered, bounded, refused_or_done
from tests.unit.seal.negatives.forging import always, edited
from tests.unit.seal.sealing_room import NOW, evidence, pack, seal_der


def nested(depth: int) -> bytes:
    data = b"\x05\x00"
    for _ in range(depth):
        data = der.write(0x30, data)
    return data


def deep_xml(depth: int) -> bytes:
    head = b'<ofd:Page xmlns:ofd="http://www.ofdspec.org/2016">'
    return head + b"<ofd:Content>" * depth + b"</ofd:Content>" * depth + b"</ofd:Page>"


def giant_png() -> bytes:
    """A picture that states 60 000 × 60 000 pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head)) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize("depth", [40, 400, 20_000])
def test_deep_nesting_is_refused(depth: int):
    with bounded():
        with pytest.raises(der.DerError):
            der.check(nested(depth))
        for read in (read_seal, read_sealed_value):
            with pytest.raises(StructureError):
                read(nested(depth))
        with pytest.raises(CertificateError):
            read_certificate(nested(depth))
    answered(pack(FILES | {"Doc_0/Pages/Page_0/Content.xml": deep_xml(depth)}))


def test_a_million_stamps_or_references_do_not_hang():
    name = "Doc_0/Signs/Sign_0/Signature.xml"
    stamp = b'<ofd:StampAnnot ID="3" PageRef="1" Boundary="1 1 9 9"/>'
    answered(pack(FILES | {name: FILES[name].replace(b"<ofd:Seal>", stamp * 20_000 + b"<ofd:Seal>")}))
    entry = b'<ofd:Reference FileRef="/x"><ofd:CheckValue>AA==</ofd:CheckValue></ofd:Reference>'
    answered(
        pack(FILES | {name: FILES[name].replace(b"</ofd:References>", entry * 21_000 + b"</ofd:References>")})
    )


def test_a_chain_of_files_that_name_each_other_is_walked_to_its_end():
    def link(n: int) -> bytes:
        return f'<x xmlns:ofd="http://www.ofdspec.org/2016"><ofd:Extensions>e{n}.xml</ofd:Extensions></x>'.encode()

    chain = {f"Doc_0/e{n}.xml": link(n + 1) for n in range(4_000)}
    root = FILES["Doc_0/Document.xml"].replace(
        b"</ofd:Document>", b"<ofd:Extensions>e0.xml</ofd:Extensions></ofd:Document>"
    )
    answered(pack(FILES | chain | {"Doc_0/Document.xml": root}))


def test_ten_thousand_pages_of_one_large_file_do_not_hang():
    body = b"<ofd:Content>" + b"<ofd:Layer/>" * 100_000 + b"</ofd:Content></ofd:Page>"
    page = FILES["Doc_0/Pages/Page_0/Content.xml"].split(b"<ofd:Content>")[0] + body
    entries = b"".join(b'<ofd:Page ID="p%d" BaseLoc="Pages/Page_0/Content.xml"/>' % n for n in range(10_000))
    root = FILES["Doc_0/Document.xml"].replace(b"</ofd:Pages>", entries + b"</ofd:Pages>")
    document = pack(FILES | {"Doc_0/Document.xml": root, "Doc_0/Pages/Page_0/Content.xml": page})
    answered(document)
    refused_or_done(lambda: plan_placements(document, [AtKeyword("licence", None)], 42, 42))


def test_many_signatures_over_one_large_file_digest_it_once():
    large = bytes(range(256)) * (100 << 10)
    name, listing = "Doc_0/Signs/Sign_{}/Signature.xml", "Doc_0/Signs/Signatures.xml"
    entry = (
        b'<ofd:Reference FileRef="/Doc_0/large.png"><ofd:CheckValue>'
        + b"A" * 43
        + b"=</ofd:CheckValue></ofd:Reference>"
    )
    xml = FILES[name.format(0)].replace(b"</ofd:References>", entry + b"</ofd:References>")
    listed = b"".join(
        f'<ofd:Signature ID="{100 + n}" BaseLoc="/{name.format(n)}"/>'.encode() for n in range(1, 90)
    )
    files = FILES | {
        "Doc_0/large.png": large,
        listing: FILES[listing].replace(b"</ofd:Sig", listed + b"</ofd:Sig"),
    }
    answered(pack(files | {name.format(n): xml for n in range(90)}))


def test_signatures_that_name_a_million_files_together_do_not_hang():
    name, listing = "Doc_0/Signs/Sign_{}/Signature.xml", "Doc_0/Signs/Signatures.xml"
    entry = b'<ofd:Reference FileRef="/Doc_0/x%d"><ofd:CheckValue>AA==</ofd:CheckValue></ofd:Reference>'
    many = b"".join(entry % n for n in range(12_000))
    xml = FILES[name.format(0)].replace(b"</ofd:References>", many + b"</ofd:References>")
    listed = b"".join(
        f'<ofd:Signature ID="{100 + n}" BaseLoc="/{name.format(n)}"/>'.encode() for n in range(1, 60)
    )
    files = FILES | {listing: FILES[listing].replace(b"</ofd:Sig", listed + b"</ofd:Sig")}
    answered(pack(files | {name.format(n): xml for n in range(60)}))


@pytest.mark.parametrize("location", ["../../x%d", "none%d.xml"])
def test_fifty_thousand_bad_locations_do_not_hang(location: str):
    name, listing = "Doc_0/Signs/Sign_{}/Signature.xml", "Doc_0/Signs/Signatures.xml"
    bad = b"".join(f"<ofd:PageRes>{location % n}</ofd:PageRes>".encode() for n in range(50_000))
    page = FILES["Doc_0/Pages/Page_0/Content.xml"].replace(b"<ofd:Content>", bad + b"<ofd:Content>")
    listed = b"".join(
        f'<ofd:Signature ID="{100 + n}" BaseLoc="/{name.format(n)}"/>'.encode() for n in range(1, 20)
    )
    files = FILES | {listing: FILES[listing].replace(b"</ofd:Sig", listed + b"</ofd:Sig")}
    files |= {name.format(n): FILES[name.format(0)] for n in range(60)}
    answered(pack(files | {"Doc_0/Pages/Page_0/Content.xml": page}))


def test_many_members_are_bounded():
    many = {f"Doc_0/x/{n}": b"" for n in range(9_900)}
    answered(pack(FILES | many))
    with pytest.raises(ofd.PackageError):
        ofd.read_package(pack({f"x{n}": b"" for n in range(10_001)}))


def seal_with(path, new: bytes) -> bytes:
    return edited(path, always(new))(seal_der())


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ((0, 0, 1), der.write(der.INTEGER, b"\x01" * 3_000)),  # more digits than Python prints
        ((0, 2, 0), der.write(der.INTEGER, b"\x01" * (8 << 20))),
        ((2,), der.write(der.OID, b"\xaa" * (1 << 20) + b"\x01")),  # one arc of seven million bits
        ((2,), der.write(der.OID, b"\x01" * (8 << 20))),
        ((0, 2, 3), der.write(der.SEQUENCE, b"\x04\x00" * (5 << 20))),
        ((0, 3, 1), der.write(der.OCTET_STRING, bytes(12 << 20))),
    ],
    ids=[
        "a long version",
        "a giant number",
        "a giant arc",
        "many arcs",
        "five million certificates",
        "a giant picture",
    ],
)
def test_seals_of_any_size_are_answered(path, new):
    seal = seal_with(path, new)
    with bounded():
        assert verify_seal(seal, NOW, evidence()).verdict.value == "INVALID"
    value = edited((0, 1), always(seal))(FILES["Doc_0/Signs/Sign_0/SignedValue.dat"])
    answered(pack(FILES | {"Doc_0/Signs/Sign_0/SignedValue.dat": value, "Doc_0/Signs/Sign_0/Seal.esl": seal}))


def test_a_picture_that_states_billions_of_pixels_is_not_decoded():
    refused_or_done(lambda: read_upload(giant_png(), 42, 42))
