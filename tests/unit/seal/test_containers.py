"""Attacks on the package: each must be refused by the container check, whatever the signatures say."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.seal.domain.ofd import Limits, PackageError, new_member, read_package, write_package
from tests.unit.seal.sealing_room import judge, ofd_files, pack, sealed_once, unpack


def refused(document: bytes) -> None:
    with pytest.raises(PackageError):
        read_package(document)
    answer = judge(document)
    assert answer.verdict == "INVALID"
    assert answer.checks["container"] == ("invalid", "PACKAGE")


def zipped(files: list[tuple[str, bytes]], **options) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data, **options)
    return target.getvalue()


def with_extra(name: str, data: bytes = b"x") -> bytes:
    return zipped([*unpack(sealed_once()).items(), (name, data)])


def test_the_sound_twin_is_valid():
    assert judge(zipped(list(unpack(sealed_once()).items()))).verdict == "VALID"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "name", ["OFD.xml", "ofd.xml", "Doc_0/Document.xml", "DOC_0/document.XML", "Doc_0/Document.xml/x"]
)
def test_two_members_with_equal_paths_are_refused(name):
    refused(with_extra(name))


@pytest.mark.parametrize(
    "name",
    ["../x", "/x", "a/../x", "./x", "a//x", "C:/x", "//host/x", "a\x01b", "e\u0301", "a\u202eb", "x?"],
)
def test_path_tricks_are_refused(name):
    refused(with_extra(name))


def test_a_backslash_is_refused():
    document = with_extra("Doc_0/xy").replace(b"Doc_0/xy", b"Doc_0\\xy")
    refused(document)


def test_nul_in_a_name_is_refused():
    refused(with_extra("Doc_0/xy").replace(b"Doc_0/xy", b"Doc_0/\0y"))


def test_trailing_and_leading_bytes_are_refused():
    document = sealed_once()
    refused(document + b"\0")
    refused(b"MZ" + document)
    refused(document[:-1])


def test_an_archive_comment_is_refused():
    target = io.BytesIO(sealed_once())
    with zipfile.ZipFile(target, "a") as archive:
        archive.comment = b"hello"
    refused(target.getvalue())


def test_two_archives_joined_are_refused():
    refused(pack(ofd_files()) + sealed_once())


def test_bytes_between_members_are_refused():
    document = sealed_once()
    end = len(document) - 22
    directory = struct.unpack_from("<L", document, end + 16)[0]
    gap = document[:directory] + b"hidden" + document[directory:end]
    count_and_size = document[end : end + 16]
    refused(gap + count_and_size + struct.pack("<LH", directory + 6, 0))


def test_a_symbolic_link_is_refused():
    info = zipfile.ZipInfo("Doc_0/link")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    refused(zipped([*unpack(sealed_once()).items()]) and _with_info(info, b"/etc/passwd"))


def _with_info(info: zipfile.ZipInfo, data: bytes) -> bytes:
    target = io.BytesIO(sealed_once())
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(info, data)
    return target.getvalue()


def test_a_directory_entry_is_accepted_when_empty_and_refused_with_content():
    assert read_package(_with_info(zipfile.ZipInfo("Doc_0/Pages/"), b"")).get("Doc_0/Pages/") is None
    refused(_with_info(zipfile.ZipInfo("Doc_0/Pages/"), b"content"))


def test_data_descriptors_are_accepted():
    class Stream(io.RawIOBase):
        def __init__(self):
            self.data = bytearray()

        def writable(self):
            return True

        def write(self, chunk):
            self.data += chunk
            return len(chunk)

    target = Stream()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in unpack(sealed_once()).items():
            archive.writestr(name, data)
    assert judge(bytes(target.data)).verdict == "VALID"


def test_a_local_name_that_differs_from_the_directory_is_refused():
    document = sealed_once()
    place = document.index(b"Doc_0/Document.xml")
    refused(document[:place] + b"Doc_0/Decument.xml" + document[place + 18 :])


@pytest.mark.parametrize("offset", [6, 8])
def test_encryption_and_other_methods_are_refused(offset):
    document = bytearray(sealed_once())
    document[offset] |= 1 if offset == 6 else 14
    refused(bytes(document))


def test_bombs_are_refused_by_what_they_inflate_to():
    refused(with_extra("Doc_0/bomb.xml", bytes(64 << 20)))
    document = with_extra("Doc_0/bomb.xml", bytes(3 << 20))
    refused(document)


def test_a_bomb_that_lies_about_its_size_is_refused():
    member = new_member("Doc_0/bomb.xml", bytes(5 << 20))
    liar = type(member)(member.name, b"\0" * 100, member.method, member.packed, zlib.crc32(b"\0" * 100))
    refused(write_package([new_member("OFD.xml", ofd_files()["OFD.xml"]), liar]))


def test_limits_hold():
    small = Limits(package_bytes=10_000, members=4, member_bytes=1000, total_bytes=2000)
    for files in (
        {"a": b"x" * 1001},
        {str(n): b"x" for n in range(5)},
        {"a": b"x" * 900, "b": b"x" * 900, "c": b"x" * 900},
    ):
        with pytest.raises(PackageError):
            read_package(pack(files), small)
    with pytest.raises(PackageError):
        read_package(pack({"a": b"x"}), Limits(package_bytes=10))
    assert read_package(pack({"a": b"x" * 900}), small)["a"] == b"x" * 900


def test_an_empty_archive_is_refused():
    refused(b"PK\x05\x06" + bytes(18))
    refused(b"")


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_not_crashed_on(data):
    with pytest.raises(PackageError):
        read_package(data)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.(xml|png|dat)", fullmatch=True),
        st.binary(max_size=400), min_size=1, max_size=6,
    )
)  # fmt: skip
def test_packages_round_trip_and_are_reproducible(files):
    document = pack(files)
    assert {member.name: member.data for member in read_package(document).members} == files
    assert pack(files) == document
    assert unpack(document) == files


DOCTYPES = [
    b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
]


@pytest.mark.parametrize("doctype", DOCTYPES, ids=["external entity", "laughs", "dtd"])
@pytest.mark.parametrize(
    "name",
    ["OFD.xml", "Doc_0/Document.xml", "Doc_0/PublicRes.xml", "Doc_0/Pages/Page_0/Content.xml",
     "Doc_0/Signs/Signatures.xml", "Doc_0/Signs/Sign_0/Signature.xml"],
)  # fmt: skip
def test_any_document_type_is_refused(name, doctype):
    files = unpack(sealed_once())
    head, rest = files[name].split(b"?>", 1)
    files[name] = head + b"?>" + doctype + rest
    answer = judge(pack(files))
    assert answer.verdict == "INVALID"
    assert answer.checks["container"] == ("invalid", "XML")


def test_a_document_type_hidden_in_utf16_is_refused():
    files = unpack(sealed_once())
    text = files["OFD.xml"].decode().split("?>", 1)[1]
    files["OFD.xml"] = ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x []>' + text).encode("utf-16")
    assert judge(pack(files)).checks["container"] == ("invalid", "XML")


@pytest.mark.parametrize("location", ["../Document.xml", "/../x", "a\\b", "Doc_0/../../x"])
def test_locations_outside_the_package_are_refused(location):
    files = unpack(sealed_once())
    files["OFD.xml"] = files["OFD.xml"].replace(b"Doc_0/Document.xml", location.encode())
    answer = judge(pack(files))
    assert answer.checks["container"] == ("invalid", "XML")


def test_a_location_that_names_two_files_is_refused():
    files = unpack(sealed_once())
    files["Doc_0/Doc_0/x.xml"] = files["Doc_0/x.xml"] = b"<x/>"
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(b"PublicRes.xml", b"Doc_0/x.xml")
    assert judge(pack(files)).checks["container"] == ("invalid", "XML")


def test_elements_in_a_foreign_namespace_are_refused():
    files = unpack(sealed_once())
    files["OFD.xml"] = files["OFD.xml"].replace(b"http://www.ofdspec.org/2016", b"http://example.test/ofd")
    assert judge(pack(files)).checks["container"] == ("invalid", "XML")
